// Sessions to the app in a pool, on sockets of memory and a clock that the test holds: the test is the app, and says frames;
// what was asked of a stream is written down by its receiver.

import type { Socket } from 'node:net';
import type { Rejection } from '../../src/errors.ts';
import type { AnswerHead } from '../../src/forward/answer.ts';
import type { Borrower } from '../../src/forward/borrower.ts';
import { AppSession } from '../../src/forward/h2c/session.ts';
import { Pool } from '../../src/forward/pool.ts';
import type { ShareOptions } from '../../src/forward/shares.ts';
import type { Loss, Receiver, Transport } from '../../src/forward/transport.ts';
import type { TunnelEnd } from '../../src/forward/tunnel.ts';
import type { ForwardLimits } from '../../src/forward/upstream.ts';
import type { RawHeaders } from '../../src/http/fields.ts';
import { Budget } from '../../src/net/budget.ts';
import { Deadlines } from '../../src/net/deadlines.ts';
import { FakeExchange, type FakeRequest } from '../unit/pipeline/fake-exchange.ts';
import { type Frame, PREFACE, SETTINGS_ACK, settings } from './h2-frames.ts';
import { MemorySocket, turns } from './h2-stage.ts';

/** The app's end: `frames` is what it got, behind the preface. */
export class AppSocket extends MemorySocket {
  preface = Buffer.alloc(0);

  override _write(chunk: Buffer, encoding: BufferEncoding, done: () => void): void {
    const missing = PREFACE.length - this.preface.length;
    if (missing === 0) return super._write(chunk, encoding, done);
    this.preface = Buffer.concat([this.preface, chunk.subarray(0, missing)]);
    super._write(chunk.subarray(missing), encoding, done);
  }

  async say(...bytes: Buffer[]): Promise<void> {
    this.push(Buffer.concat(bytes));
    await turns();
  }
}

/** One call, from the borrowing to its end. */
export class Call implements Borrower<Transport>, Receiver {
  readonly lasting = false;
  lasts = false;
  readonly upgrades = false;
  readonly waited = false;
  readonly client: string;
  yields = 0;
  readonly clientConnection = this;
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  readonly exchange: FakeExchange;
  transport: Transport | undefined;
  /** `interim 103`, `head 200`, `body 5`, `settle`, `end`, `failed upstream_closed stale` … */
  readonly said: string[] = [];
  readonly chunks: Buffer[] = [];
  trailers: RawHeaders | undefined;
  tunnel: TunnelEnd | undefined;
  /** Called with each word of `said`. */
  onSaid: (word: string) => void = () => {};

  constructor(request: FakeRequest, upgrade: string | undefined, client = '192.0.2.7') {
    this.client = client;
    this.exchange = new FakeExchange(request);
    this.exchange.host = 'app.test';
    this.exchange.upgrade = upgrade;
  }

  expire(): void {}

  yield(): void {
    this.yields++;
  }

  lend(transport: Transport): boolean {
    this.transport = transport;
    transport.send(this.exchange, this);
    return true;
  }

  denied({ reason }: Rejection): void {
    this.#say(`denied ${reason}`);
  }

  #say(word: string): void {
    this.said.push(word);
    this.onSaid(word);
  }

  /** Without what only orders writes. */
  get told(): string[] {
    return this.said.filter((word) => word !== 'settle');
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  connected(): void {}

  interim(status: number): void {
    this.#say(`interim ${status}`);
  }

  answerHead({ status }: AnswerHead): void {
    this.#say(`head ${status}`);
  }

  answerBody(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.#say(`body ${chunk.length}`);
  }

  settle(): void {
    this.#say('settle');
  }

  answerEnd(trailers: RawHeaders | undefined): void {
    this.trailers = trailers;
    this.#say('end');
  }

  appDrained(): void {
    this.#say('drained');
  }

  failed({ reason }: Rejection, loss?: Loss): void {
    this.#say(loss === undefined ? `failed ${reason}` : `failed ${reason} ${loss}`);
  }

  crashed(error: unknown): void {
    this.#say(`crashed ${error}`);
  }

  switched(_reason: string, _raw: RawHeaders, app: TunnelEnd): void {
    this.tunnel = app;
    this.#say('switched');
  }
}

export class AppStage {
  nowMs = 1000;
  readonly sockets: AppSocket[] = [];
  readonly crashes: unknown[] = [];
  readonly pool: Pool<Transport, AppSession>;
  readonly budget = new Budget({ bytes: 64 << 20, percent: 50 });
  readonly #deadlines = new Deadlines(() => this.nowMs);

  constructor(changes: Partial<ForwardLimits> = {}, maxMembers = 4, share?: ShareOptions) {
    const limits: ForwardLimits = {
      connectTimeoutMs: 5000,
      upstreamTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
      maxConnections: 64,
      maxHeaderBytes: 4096,
      maxFields: 64,
      ...changes,
    };
    const options = {
      limits,
      clock: () => this.nowMs,
      deadlines: this.#deadlines,
      crashed: (error: unknown) => void this.crashes.push(error),
      account: this.budget.shared,
    };
    this.pool = new Pool({
      ...options,
      maxMembers,
      share,
      dial: (owner) => {
        const socket = new AppSocket();
        this.sockets.push(socket);
        const session = new AppSession(owner, (read) => socket.on('data', read) as unknown as Socket, options);
        socket.emit('connect');
        return session;
      },
    });
  }

  /** The last session that was opened. */
  get app(): AppSocket {
    return this.sockets.at(-1) as AppSocket;
  }

  call(request: FakeRequest = {}, upgrade?: string, client?: string): Call {
    const call = new Call(
      { protocol: 'h2', connection: { account: this.budget.open('a') }, ...request },
      upgrade,
      client,
    );
    this.pool.borrow(call);
    return call;
  }

  /** A call on a session whose SETTINGS have come, and what the app got of it. */
  async begin(request: FakeRequest = {}, values: readonly (readonly [number, number])[] = []): Promise<Call> {
    const call = this.call(request);
    await this.app.say(settings(values), SETTINGS_ACK);
    return call;
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    this.#deadlines.sweep();
    await turns();
  }

  framesOf(type: number, stream?: number): Frame[] {
    return this.sockets.flatMap((socket) => socket.of(type, stream));
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#deadlines.close();
  }
}
