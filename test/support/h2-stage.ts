// An HTTP/2 connection of the listening side on a socket of memory, with a clock that the test holds and a handler that
// keeps what it is given: what the client gets is there as frames, after each turn of the event loop.

import { Duplex } from 'node:stream';
import type { Rejection } from '../../src/errors.ts';
import type { Carrier, Exchange, Handler } from '../../src/exchange.ts';
import { Connections } from '../../src/listener/connections.ts';
import { Http2Connection } from '../../src/listener/http2/connection.ts';
import { Budget } from '../../src/net/budget.ts';
import { Deadlines } from '../../src/net/deadlines.ts';
import { type Frame, FrameReader, PREFACE, settings, Type } from './h2-frames.ts';

export class MemorySocket extends Duplex {
  readonly frames: Frame[] = [];
  /** Bytes of each write. */
  readonly writes: number[] = [];
  /** While it is set, writes are not taken. */
  stuck = false;
  ended = false;
  readonly #reader = new FrameReader();
  readonly #waiting: (() => void)[] = [];

  constructor() {
    super({ writableHighWaterMark: 1 << 30, allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk.length);
    // The buffer is used again.
    for (const frame of this.#reader.push(Buffer.from(chunk))) this.frames.push(frame);
    if (this.stuck) this.#waiting.push(done);
    else done();
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }

  unstick(): void {
    this.stuck = false;
    for (const done of this.#waiting.splice(0)) done();
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type && (stream === undefined || frame.stream === stream));
  }
}

/** What the app would do; the test says it through `exchange`. */
export class HeldCarrier implements Carrier {
  readonly chunks: Buffer[] = [];
  ended = false;
  trailers: string[] | undefined;
  drains = 0;
  left = false;

  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  body(chunk: Buffer): void {
    // What this stage's sockets are read into is written once.
    this.chunks.push(chunk);
  }

  bodyEnd(trailers: string[] | undefined): void {
    this.ended = true;
    this.trailers = trailers;
  }

  drained(): void {
    this.drains++;
  }

  depart(): void {}

  gone(): void {
    this.left = true;
  }
}

export class H2Stage {
  nowMs = 1000;
  readonly socket = new MemorySocket();
  readonly exchanges: Exchange[] = [];
  readonly finished: Exchange[] = [];
  readonly refused: Rejection[] = [];
  readonly crashes: unknown[] = [];
  readonly failures: string[] = [];
  readonly connection: Http2Connection;
  readonly budget = new Budget({ bytes: 64 << 20, percent: 50 });
  /** Called with each exchange. */
  onRequest: (exchange: Exchange) => void = () => {};

  constructor() {
    const handler: Handler = {
      handle: (exchange) => {
        this.exchanges.push(exchange);
        this.onRequest(exchange);
      },
      refuse: (exchange, rejection) => this.#fail(exchange, rejection),
      fail: (exchange, rejection) => this.#fail(exchange, rejection),
      crashed: (_exchange, error) => this.crashes.push(error),
      finished: (exchange) => this.finished.push(exchange),
    };
    const limits = {
      handshakeTimeoutMs: 1000,
      headerTimeoutMs: 20_000,
      clientTimeoutMs: 30_000,
      minBodyRate: 240,
      idleTimeoutMs: 60_000,
      maxConnectionAgeMs: 0,
      maxHeaderBytes: 16_384,
      maxFields: 256,
      lingerMs: 2000,
    };
    const clock = (): number => this.nowMs;
    const account = this.budget.open('127.0.0.1');
    const facts = { remoteAddress: '127.0.0.1', peerAddress: '127.0.0.1', tls: undefined, client: undefined, account };
    const deadlines = new Deadlines(clock);
    const connections = new Connections({ clock, deadlines, maxAgeMs: 0 });
    this.connection = new Http2Connection(this.socket, facts, {
      handler,
      limits,
      connections,
      clock,
      sessionFailed: (reason, detail) => this.failures.push(`${reason}: ${detail}`),
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      connections.destroyAll();
      deadlines.close();
    });
  }

  #fail(exchange: Exchange, rejection: Rejection): void {
    this.refused.push(rejection);
    if (exchange.answered) return exchange.cut();
    exchange.answer(rejection.status, '', [], 0);
    exchange.end(undefined);
  }

  async begin(values: readonly (readonly [number, number])[] = []): Promise<this> {
    await this.say(PREFACE, settings(values));
    return this;
  }

  /** Resolves when the connection has said all that it says to it. */
  async say(...bytes: Buffer[]): Promise<void> {
    this.socket.push(Buffer.concat(bytes));
    await turns();
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    if (this.connection.deadlineMs <= this.nowMs) this.connection.expire();
    await turns();
  }

  get goaways(): number[] {
    return this.socket.of(Type.goaway).map(({ payload }) => payload.readUInt32BE(4));
  }

  resetOf(stream: number): number | undefined {
    return this.socket.of(Type.rstStream, stream)[0]?.payload.readUInt32BE(0);
  }

  windowOpened(stream: number): number {
    return this.socket.of(Type.windowUpdate, stream).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }

  end(): void {
    this.socket.destroy();
  }
}

export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}
