// The connections to the app: dials, lends and takes back. Last in, first out, so that a burst's surplus ages and
// goes; capped, with a queue before the cap; idle ones are closed before the app would close them. One timer looks at
// all deadlines. It never reads or writes a message.

import type { Clock } from '../../exchange.ts';
import { createDial, type Dial } from '../dial.ts';
import type { ForwardLimits, Upstream } from '../forward.ts';
import { AppConnection } from './connection.ts';
import { SharedReads } from './shared-reads.ts';

/** Who waits for a connection. */
export interface Borrower {
  lend(connection: AppConnection): void;
  /** No connection became free within the connect time-out. */
  starved(): void;
}

type Waiting = { readonly borrower: Borrower; readonly fresh: boolean; readonly deadlineMs: number };

export type PoolOptions = { readonly upstream: Upstream; readonly limits: ForwardLimits; readonly clock: Clock };

const SWEEP_MS = 250;

export class Pool {
  readonly limits: ForwardLimits;
  readonly clock: Clock;
  readonly #dialSocket: Dial;
  readonly #open = new Set<AppConnection>();
  readonly #apart = new Set<AppConnection>();
  readonly #free: AppConnection[] = [];
  readonly reads = new SharedReads();
  #queue: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor({ upstream, limits, clock }: PoolOptions) {
    this.limits = limits;
    this.clock = clock;
    this.#dialSocket = createDial(upstream);
  }

  /** Lends a connection, now or when one is free. `fresh`: one that was never used. */
  borrow(borrower: Borrower, fresh: boolean): void {
    const free = fresh ? undefined : this.#free.pop();
    if (free !== undefined) return borrower.lend(free);
    if (this.#open.size < this.limits.maxConnections || this.#evict()) return borrower.lend(this.#dial());
    const waiting = { borrower, fresh, deadlineMs: this.clock() + this.limits.connectTimeoutMs };
    // Who lost a connection through no fault of its own has waited already.
    if (fresh) this.#queue.unshift(waiting);
    else this.#queue.push(waiting);
    this.#watch();
  }

  /** Takes a borrower out of the queue. */
  forget(borrower: Borrower): void {
    if (this.#queue.length > 0) this.#queue = this.#queue.filter((waiting) => waiting.borrower !== borrower);
  }

  /** A connection whose exchange is complete on both sides. */
  takeBack(connection: AppConnection): void {
    if (this.#closing || this.#apart.has(connection) || this.#queue[0]?.fresh === true) return connection.destroy();
    const next = this.#queue.shift();
    if (next !== undefined) next.borrower.lend(connection);
    else this.#free.push(connection);
  }

  /** A connection that is closed, or that became a tunnel. */
  drop(connection: AppConnection): void {
    if (this.#apart.delete(connection) || !this.#open.delete(connection)) return;
    const at = this.#free.lastIndexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    const next = this.#queue.shift();
    if (next !== undefined) next.borrower.lend(this.#dial());
  }

  close(): void {
    this.#closing = true;
    for (const connection of [...this.#free]) connection.destroy();
    if (this.#open.size === 0) this.#unwatch();
  }

  /** A connection outside the cap and the queue, for an exchange that may hold it for hours. */
  dialApart(): AppConnection {
    const connection = new AppConnection(this);
    const socket = this.#dialSocket(undefined);
    connection.attach(socket);
    socket.on('data', connection.onData);
    this.#apart.add(connection);
    this.#watch();
    return connection;
  }

  #evict(): boolean {
    const idle = this.#free.shift();
    idle?.destroy();
    return idle !== undefined;
  }

  #dial(): AppConnection {
    const connection = new AppConnection(this);
    const { onread, closed } = this.reads.into(connection);
    const socket = this.#dialSocket(onread);
    connection.attach(socket);
    socket.on('close', closed);
    this.#open.add(connection);
    this.#watch();
    return connection;
  }

  #watch(): void {
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #unwatch(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    const nowMs = this.clock();
    for (const set of [this.#open, this.#apart]) {
      for (const connection of set) if (connection.deadlineMs <= nowMs) connection.expire();
    }
    while (this.#queue[0] !== undefined && this.#queue[0].deadlineMs <= nowMs) this.#queue.shift()?.borrower.starved();
    if (this.#open.size === 0 && this.#apart.size === 0 && this.#queue.length === 0) this.#unwatch();
  }
}
