// Who is connected, and when each is told to go: at its deadline, at a drain, when the client CA has changed, when it is old,
// and when it is idle while there is hardly room for others. It never reads a byte.

import type { Clock } from '../exchange.ts';
import type { Deadlines, Timed } from '../net/deadlines.ts';
import { Queue, type Queued } from '../net/queue.ts';

export interface OpenConnection extends Timed {
  readonly protocol: string;
  /** Tell the client to go, with the next answer or in HTTP/2 now, and lose nothing that it asks until it has heard of it. */
  announce(): void;
  /** Close if nothing is in flight, else after what is; long-lived exchanges end. */
  drain(): void;
  /** Take no new request, and close after what is in flight. Tunnels stay. */
  retire(): void;
  /** Clients are verified by another CA: if its client was verified before, retire, and end its tunnels now. */
  revoke(): void;
  destroy(): void;
  /** The registry's to use. */
  readonly idlePlace: IdlePlace;
}

/** Where a connection stands among those that are idle. */
export class IdlePlace implements Queued<IdlePlace> {
  before: IdlePlace | undefined = undefined;
  after: IdlePlace | undefined = undefined;
  /** Infinity: it is not idle, and nowhere. */
  sinceMs = NEVER;
  readonly connection: OpenConnection;

  constructor(connection: OpenConnection) {
    this.connection = connection;
  }
}

export type ConnectionsOptions = {
  readonly clock: Clock;
  /** On the same clock. */
  readonly deadlines: Deadlines;
  /** Counted from add(); 0: a connection may grow old. */
  readonly maxAgeMs: number;
  /** How many there can be; undefined: no limit. */
  readonly maxConnections?: number;
  /** As Math.random. */
  readonly random?: () => number;
};

const NEVER = Number.POSITIVE_INFINITY;
/** Connections that were made together, as after a restart of their clients, must not all be made again together. */
const AGE_SPREAD = 0.1;
/** One in so many places is kept free for newcomers, where somebody idle can go for it; these take up to two seconds. */
const KEPT_FREE = 16;
const MAX_KEPT_FREE = 256;
/** A client that has just connected, or read an answer, may be about to ask. */
const LEAST_IDLE_MS = 1000;

export class Connections implements Timed {
  readonly #open = new Set<OpenConnection>();
  readonly #options: ConnectionsOptions;
  /** When each connection is old; those that have been told are no longer in it. */
  readonly #oldAtMs = new Map<OpenConnection, number>();
  /** The longest idle is the first. */
  readonly #idle = new Queue<IdlePlace>();
  /** Told to go for others, and still there. */
  readonly #leaving = new Set<OpenConnection>();
  /** Above so many, those longest idle are told to go. */
  readonly #roomy: number;
  #nextOldMs = NEVER;
  #announced = false;
  #draining = false;
  #whenEmpty: (() => void) | undefined;
  #emptied: Promise<void> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { maxConnections = NEVER } = options;
    this.#roomy = maxConnections - Math.min(MAX_KEPT_FREE, Math.ceil(maxConnections / KEPT_FREE));
    if (options.maxAgeMs > 0 || maxConnections !== NEVER) options.deadlines.add(this);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Every client is to be told to go. */
  get announced(): boolean {
    return this.#announced;
  }

  get draining(): boolean {
    return this.#draining;
  }

  countOf(protocol: string): number {
    let count = 0;
    for (const connection of this.#open) if (connection.protocol === protocol) count++;
    return count;
  }

  add(connection: OpenConnection): void {
    const { clock, deadlines, maxAgeMs, random = Math.random } = this.#options;
    this.#open.add(connection);
    deadlines.add(connection);
    if (this.#crowded) this.#makeRoom();
    if (maxAgeMs === 0) return;
    const oldAtMs = clock() + maxAgeMs * (1 - AGE_SPREAD * random());
    this.#oldAtMs.set(connection, oldAtMs);
    this.#nextOldMs = Math.min(this.#nextOldMs, oldAtMs);
  }

  /** Nothing of it is in flight from now on. */
  idle(connection: OpenConnection): void {
    const place = connection.idlePlace;
    if (place.sinceMs !== NEVER || !this.#open.has(connection)) return;
    place.sinceMs = this.#options.clock();
    this.#idle.push(place);
  }

  /** Idle for so short a time that its client may be about to ask. */
  isFresh(connection: OpenConnection): boolean {
    const { sinceMs } = connection.idlePlace;
    return sinceMs !== NEVER && sinceMs > this.#options.clock() - LEAST_IDLE_MS;
  }

  busy(connection: OpenConnection): void {
    const place = connection.idlePlace;
    if (place.sinceMs === NEVER) return;
    place.sinceMs = NEVER;
    this.#idle.delete(place);
  }

  delete(connection: OpenConnection): void {
    this.busy(connection);
    this.#leaving.delete(connection);
    this.#options.deadlines.delete(connection);
    this.#oldAtMs.delete(connection);
    if (this.#open.delete(connection) && this.#open.size === 0) this.#whenEmpty?.();
  }

  /** `next` adds the connection that goes on with this one's socket; both together take one place, and a drain waits for them. */
  replace(connection: OpenConnection, next: () => void): void {
    this.#leaving.add(connection);
    next();
    this.delete(connection);
  }

  /** Tells every client, those that are still to come too, that it is to go. Whoever is idle stays. */
  announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#tell((connection) => connection.announce());
  }

  /** Resolves when the last connection has ended by itself. Those that are idle are closed. */
  drain(): Promise<void> {
    this.#announced = true;
    this.#draining = true;
    this.#emptied ??= new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    if (this.#open.size === 0) this.#whenEmpty?.();
    this.#tell((connection) => connection.drain());
    return this.#emptied;
  }

  /** Ends, after what is in flight, the connections whose clients would have to be verified anew. */
  revokeAll(): void {
    this.#tell((connection) => connection.revoke());
  }

  /** Cuts whatever is still open and returns how many that were. */
  destroyAll(): number {
    const left = this.#open.size;
    this.#options.deadlines.delete(this);
    this.#tell((connection) => connection.destroy());
    return left;
  }

  get #crowded(): boolean {
    return this.#open.size - this.#leaving.size > this.#roomy;
  }

  /** Whoever is idle longest goes for who comes; where nobody is, there is no room. */
  #makeRoom(): void {
    const idleBeforeMs = this.#options.clock() - LEAST_IDLE_MS;
    while (this.#crowded) {
      const longest = this.#idle.first;
      if (longest === undefined || longest.sinceMs > idleBeforeMs) return;
      const { connection } = longest;
      this.busy(connection);
      this.#leaving.add(connection);
      this.#guarded(connection, () => connection.retire());
    }
  }

  // ---- Timed

  /** When the next connection is old, or idle for long enough where there is hardly room. */
  get deadlineMs(): number {
    const { first } = this.#idle;
    if (first === undefined || !this.#crowded) return this.#nextOldMs;
    return Math.min(this.#nextOldMs, first.sinceMs + LEAST_IDLE_MS);
  }

  expire(): void {
    this.#makeRoom();
    if (this.#nextOldMs <= this.#options.clock()) this.#retireOld();
  }

  /** Tells those that are old, each once. */
  #retireOld(): void {
    const nowMs = this.#options.clock();
    this.#nextOldMs = NEVER;
    for (const [connection, oldAtMs] of this.#oldAtMs) {
      if (oldAtMs > nowMs) this.#nextOldMs = Math.min(this.#nextOldMs, oldAtMs);
      else {
        this.#oldAtMs.delete(connection);
        this.#guarded(connection, () => connection.retire());
      }
    }
  }

  /** Each connection is guarded by itself: there is nothing left that could throw. */
  crashed(error: unknown): void {
    throw error;
  }

  #tell(tell: (connection: OpenConnection) => void): void {
    for (const connection of [...this.#open]) this.#guarded(connection, () => tell(connection));
  }

  #guarded(connection: OpenConnection, run: () => void): void {
    try {
      run();
    } catch (error) {
      connection.crashed(error);
    }
  }
}
