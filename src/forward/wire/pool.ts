// The connections to the app: dials, lends and takes back. Last in, first out, so that a burst's surplus ages and
// goes; capped, with a queue before the cap; idle ones are closed before the app would close them. One timer looks at
// all deadlines. It never reads or writes a message.

import { lookup } from 'node:dns';
import { connect, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import type { Clock } from '../../exchange.ts';
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
  readonly #upstream: Upstream;
  readonly #lookup: LookupFunction;
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
    this.#upstream = upstream;
    this.#lookup = upstream.kind === 'tcp' && upstream.host === 'localhost' ? rememberingLookup() : lookup;
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
    const socket = dial(this.#upstream, this.#lookup, undefined);
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
    connection.attach(dial(this.#upstream, this.#lookup, this.reads.into(connection)));
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

function dial(upstream: Upstream, resolve: LookupFunction, onread: OnReadOpts | undefined): Socket {
  // Half-open on our side: a tunnel passes the end of one direction on by itself; for the rest, AppConnection ends.
  const options = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    allowHalfOpen: true,
    ...(onread && { onread }),
  };
  if (upstream.kind === 'unix') return connect({ ...options, path: upstream.path });
  const { host, port } = upstream;
  return connect({ ...options, host, port, lookup: resolve, autoSelectFamily: true });
}

/** Resolves once and keeps the answer: the addresses of `localhost` do not change while a Pod lives. */
function rememberingLookup(): LookupFunction {
  type Callback = Parameters<LookupFunction>[2];
  let known: Parameters<Callback>[1] | undefined;
  return (hostname, options, callback) => {
    if (known !== undefined) return callback(null, known);
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error === null && addresses.length > 0) known = addresses;
      callback(error, addresses);
    });
  };
}
