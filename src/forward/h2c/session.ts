// One HTTP/2 connection to the app, in clear text and by prior knowledge. It knows how many streams it may carry and
// whether it still takes new ones; a stream is only begun after the app's SETTINGS have said what it allows. A session on
// which our clients made many resets takes no new streams, so that the app has no reason to end it.

import type { Socket } from 'node:net';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import { Ending } from '../../http/h2/closed-streams.ts';
import { Code } from '../../http/h2/frames.ts';
import { H2Session } from '../../http/h2/session.ts';
import type { Cost, SessionOwner } from '../../http/h2/session-owner.ts';
import { SETTINGS_TIMEOUT_MS } from '../../http/h2/settings.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import type { StreamOwner } from '../../http/h2/stream-owner.ts';
import type { Timed } from '../../net/deadlines.ts';
import { guarded } from '../../net/guard.ts';
import { socketRejection } from '../answer.ts';
import type { Borrower, Member } from '../borrower.ts';
import type { Transport } from '../transport.ts';
import { AppFloods, CLOSE_MS, MAX_ID, MAX_STREAMS, OurResets, sessionOptions } from './app-limits.ts';
import { type LentStream, Unsettled } from './lent-stream.ts';
import type { Owner, SessionOptions } from './session-owner.ts';
import { AppStream } from './stream.ts';

const NEVER = Number.POSITIVE_INFINITY;

export class AppSession implements Member<Transport>, SessionOwner, Timed {
  /** Whether an exchange was completed on it before: then the app may have closed it unnoticed. */
  reused = false;
  /** The connection has ended, or is about to. */
  lost = false;
  /** The stream whose header block had no end. */
  endlessId = 0;
  readonly options: SessionOptions;
  /** Who has streams of it. */
  readonly holders = new Set<Borrower<Transport>>();
  readonly #owner: Owner;
  readonly #socket: Socket;
  readonly #session: H2Session;
  readonly #floods: AppFloods;
  readonly #resets: OurResets;
  #nextId = 1;
  #active = 0;
  /** The app has said that it speaks HTTP/2. */
  #open = false;
  #leaving = false;
  #connected = false;
  #error: unknown = undefined;
  #endedFor: Rejection | undefined = undefined;
  readonly unsettled = new Unsettled();
  /** Of the connect, then of the idle session, at last of the close. */
  #waitMs: number;
  /** Until when the app has to acknowledge our SETTINGS. */
  #settingsMs = NEVER;

  /** `dial`: opens the socket, and gives what comes to `read`: bytes that are good during the call only. */
  constructor(owner: Owner, dial: (read: (bytes: Buffer) => void) => Socket, options: SessionOptions) {
    const { limits, clock, deadlines } = options;
    const socket = dial(guarded(this, (bytes: Buffer) => this.#read(bytes)));
    this.#owner = owner;
    this.#socket = socket;
    this.options = options;
    this.#floods = new AppFloods(clock);
    this.#resets = new OurResets(clock);
    this.#waitMs = clock() + limits.connectTimeoutMs;
    this.#session = new H2Session(socket, this, sessionOptions(limits, options.account));
    socket.on('connect', () => {
      this.#connected = true;
    });
    const closed = guarded(this, () => this.#closed());
    socket.on('close', closed);
    // Nothing that is not complete can become so any more.
    socket.on('end', () => socket.destroy());
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    deadlines.add(this);
  }

  // ---- Member

  get room(): number {
    if (!this.#open || this.#leaving || this.#resets.resting) return 0;
    return Math.max(0, this.#mostStreams - this.#active);
  }

  get #mostStreams(): number {
    return Math.min(this.#session.peer.maxStreams, MAX_STREAMS);
  }

  suits(): boolean {
    return true;
  }

  transport(borrower: Borrower<Transport>): Transport {
    return new AppStream(this, borrower);
  }

  /** Takes no new stream; what is in flight finishes. */
  close(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#owner.retire(this);
    if (this.#active === 0) this.#end();
  }

  // ---- for its streams

  /** Whether the app takes extended CONNECT (RFC 8441). */
  get takesConnect(): boolean {
    return this.#session.peer.takesConnect;
  }

  /** release() ends what this begins. */
  begin(owner: StreamOwner & LentStream): H2Stream {
    this.holders.add(owner.borrower);
    this.#owner.begun(owner.borrower);
    const stream = this.#session.open(this.#nextId);
    stream.attach(owner);
    this.#nextId += 2;
    this.#active++;
    this.#waitMs = NEVER;
    this.#floods.begun();
    if (this.#nextId > MAX_ID) this.close();
    return stream;
  }

  /** The stream is over, or reset. */
  release({ borrower }: LentStream): void {
    this.holders.delete(borrower);
    this.#owner.ended(borrower);
    this.reused = true;
    this.#active--;
    this.#countResets();
    if (this.#active === 0) this.#rest();
    if (this.room > 0) this.#owner.offer(this);
  }

  // ---- SessionOwner

  /** Pushes were forbidden: the engine lets none pass. */
  opened(): void {}
  written(): void {}

  settings(): void {
    const first = !this.#open;
    this.#open = true;
    this.#owner.sized(this.#mostStreams);
    if (first) this.#settingsMs = this.options.clock() + SETTINGS_TIMEOUT_MS;
    if (first) this.#waitMs = this.options.clock() + this.options.limits.idleTimeoutMs;
    if (first || this.room > 0) this.#owner.offer(this);
  }

  acknowledged(): void {
    this.#settingsMs = NEVER;
  }

  /** Streams that the app has seen finish; new ones go to another session. */
  goaway(lastId: number): void {
    this.close();
    for (const stream of this.#session.streams.values())
      if (stream.id > lastId) stream.lose(Code.refusedStream, Ending.resetByPeer);
  }

  spend(cost: Cost): boolean {
    return this.#floods.spend(cost);
  }

  failed(): void {
    this.#endedFor = REJECTIONS.upstream_malformed;
    this.endlessId = this.#session.openBlock;
    this.lost = true;
    this.#leaving = true;
    this.#owner.left(this, this.#rejection());
    this.#shut();
  }

  // ---- Timed

  get deadlineMs(): number {
    return Math.min(this.#waitMs, this.#resets.restMs, this.#settingsMs);
  }

  expire(): void {
    const nowMs = this.options.clock();
    if (this.#settingsMs <= nowMs) {
      this.#settingsMs = NEVER;
      this.#session.fail(Code.settingsTimeout, 'SETTINGS were not acknowledged');
    }
    if (this.#resets.rested() && this.room > 0) this.#owner.offer(this);
    if (this.#waitMs > nowMs) return;
    if (this.#open && !this.#leaving) return this.close();
    this.#endedFor = REJECTIONS.upstream_connect_timeout;
    this.#socket.destroy();
  }

  /** Its streams end with it, and say so. */
  crashed(error: unknown): void {
    this.options.crashed(error);
    this.#socket.destroy();
  }

  // ----

  #read(bytes: Buffer): void {
    this.#session.read(bytes);
    this.unsettled.settle();
  }

  #countResets(): void {
    if (this.#resets.count(this.#session.out.resets) || this.#leaving) return;
    if (!this.#owner.crowded) this.close();
    else this.#resets.rest();
  }

  #rest(): void {
    const { idleTimeoutMs } = this.options.limits;
    if (this.#leaving) return this.#end();
    if (idleTimeoutMs <= 0) return this.close();
    this.#waitMs = this.options.clock() + idleTimeoutMs;
  }

  /** Nothing is in flight any more. */
  #end(): void {
    if (this.lost) return;
    this.lost = true;
    if (!this.#connected) return void this.#socket.destroy();
    this.#session.stopped = true;
    this.#session.out.writer.goaway(0, Code.none);
    this.#session.out.writer.write();
    this.#shut();
  }

  #shut(): void {
    this.#waitMs = this.options.clock() + CLOSE_MS;
    this.#socket.end();
  }

  #closed(): void {
    this.lost = true;
    this.#leaving = true;
    this.options.deadlines.delete(this);
    this.#session.close(Code.cancel);
    this.#owner.left(this, this.#rejection());
  }

  /** Why it failed, where it failed before it was open. */
  #rejection(): Rejection | undefined {
    return this.#open ? undefined : (this.#endedFor ?? socketRejection(this.#error, this.#connected));
  }
}
