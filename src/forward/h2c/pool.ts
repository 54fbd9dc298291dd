// The HTTP/2 sessions to the app: dials one when there is none with room, up to a small cap; then exchanges wait for a
// stream, for no longer than the connect time-out. The oldest session with room is used first, so that a burst's surplus
// ages and goes. One timer looks at all deadlines. It never reads or writes a message.

import type { Rejection } from '../../errors.ts';
import type { Clock } from '../../exchange.ts';
import { createDial, type Dial } from '../dial.ts';
import type { ForwardLimits, Upstream } from '../forward.ts';
import { AppSession } from './session.ts';

/** Who waits for a stream. */
export interface Borrower {
  lend(session: AppSession): void;
  /** No stream became free within the connect time-out. */
  starved(): void;
  failed(rejection: Rejection): void;
}

export interface Timed {
  /** When expire() is due on the pool's clock; Infinity while nothing is owed. */
  readonly deadlineMs: number;
  expire(): void;
}

type Waiting = { readonly borrower: Borrower; readonly deadlineMs: number };

export type PoolOptions = { readonly upstream: Upstream; readonly limits: ForwardLimits; readonly clock: Clock };

/** Each of them carries as many streams as the app allows. */
const MAX_SESSIONS = 16;
const SWEEP_MS = 250;

export class SessionPool {
  readonly limits: ForwardLimits;
  readonly clock: Clock;
  readonly #dialSocket: Dial;
  readonly #maxSessions: number;
  /** Those that take new streams, or will when they are open; oldest first. */
  readonly #sessions = new Set<AppSession>();
  readonly #timed = new Set<Timed>();
  #queue: Waiting[] = [];
  #dialling = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor({ upstream, limits, clock }: PoolOptions) {
    this.limits = limits;
    this.clock = clock;
    this.#dialSocket = createDial(upstream);
    this.#maxSessions = Math.min(MAX_SESSIONS, limits.maxConnections);
  }

  /** Lends a session with room, now or when there is one. */
  borrow(borrower: Borrower): void {
    const session = this.#queue.length === 0 ? this.#withRoom() : undefined;
    if (session !== undefined) return borrower.lend(session);
    this.#queue.push({ borrower, deadlineMs: this.clock() + this.limits.connectTimeoutMs });
    this.#dial();
    this.#startTimer();
  }

  /** Takes a borrower out of the queue. */
  forget(borrower: Borrower): void {
    if (this.#queue.length > 0) this.#queue = this.#queue.filter((waiting) => waiting.borrower !== borrower);
  }

  watch(timed: Timed): void {
    this.#timed.add(timed);
    this.#startTimer();
  }

  unwatch(timed: Timed): void {
    this.#timed.delete(timed);
  }

  /** Closes what is idle; sessions that carry streams close after them. */
  close(): void {
    for (const session of [...this.#sessions]) session.close();
  }

  // ---- for the sessions

  opened(session: AppSession): void {
    this.#dialling = false;
    session.deadlineMs = this.clock() + this.limits.idleTimeoutMs;
    this.freed();
  }

  /** Room for a stream has come up. */
  freed(): void {
    let session = this.#withRoom();
    while (session !== undefined && this.#queue.length > 0) {
      this.#queue.shift()?.borrower.lend(session);
      session = this.#withRoom();
    }
    if (this.#queue.length > 0) this.#dial();
  }

  /** The session takes no new streams. */
  retire(session: AppSession): void {
    this.#sessions.delete(session);
    if (session.open) this.#timed.delete(session);
  }

  closed(session: AppSession, rejection: Rejection): void {
    this.#sessions.delete(session);
    this.#timed.delete(session);
    if (session.open) return this.freed();
    this.#dialling = false;
    // With another session open, whoever waits goes on waiting for that one.
    if (this.#sessions.size > 0) return;
    const refused = this.#queue;
    this.#queue = [];
    for (const { borrower } of refused) borrower.failed(rejection);
  }

  #withRoom(): AppSession | undefined {
    for (const session of this.#sessions) if (session.hasRoom) return session;
    return undefined;
  }

  /** One at a time: the next one is dialled when this one is full. */
  #dial(): void {
    if (this.#dialling || this.#sessions.size >= this.#maxSessions) return;
    this.#dialling = true;
    const session = new AppSession(this, this.#dialSocket(undefined));
    this.#sessions.add(session);
    this.watch(session);
  }

  #startTimer(): void {
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #sweep(): void {
    const nowMs = this.clock();
    for (const timed of this.#timed) if (timed.deadlineMs <= nowMs) timed.expire();
    while (this.#queue[0] !== undefined && this.#queue[0].deadlineMs <= nowMs) this.#queue.shift()?.borrower.starved();
    if (this.#timed.size > 0 || this.#queue.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
