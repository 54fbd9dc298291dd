// Who is connected, and when each is told to go: at its deadline, at a drain, when the client CA has changed, and when it
// is old. It never reads a byte.

import type { Clock } from '../exchange.ts';
import type { Deadlines, Timed } from '../net/deadlines.ts';

export interface OpenConnection extends Timed {
  readonly protocol: string;
  /** Close now if nothing is in flight, else after what is. */
  drain(): void;
  /** Take no new request, and close after what is in flight. Tunnels stay. */
  retire(): void;
  /** Clients are verified by another CA: if its client was verified before, retire, and end its tunnels now. */
  revoke(): void;
  destroy(): void;
}

export type ConnectionsOptions = {
  readonly clock: Clock;
  /** On the same clock. */
  readonly deadlines: Deadlines;
  /** Counted from add(); 0: a connection may grow old. */
  readonly maxAgeMs: number;
  /** As Math.random. */
  readonly random?: () => number;
};

/** Connections that were made together, as after a restart of their clients, must not all be made again together. */
const AGE_SPREAD = 0.1;

export class Connections implements Timed {
  readonly #open = new Set<OpenConnection>();
  readonly #options: ConnectionsOptions;
  /** When each connection is old; those that have been told are no longer in it. */
  readonly #oldAtMs = new Map<OpenConnection, number>();
  /** When the next connection is old. */
  deadlineMs = Number.POSITIVE_INFINITY;
  #draining = false;
  #whenEmpty: (() => void) | undefined;
  #emptied: Promise<void> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    if (options.maxAgeMs > 0) options.deadlines.add(this);
  }

  get size(): number {
    return this.#open.size;
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
    if (maxAgeMs === 0) return;
    const oldAtMs = clock() + maxAgeMs * (1 - AGE_SPREAD * random());
    this.#oldAtMs.set(connection, oldAtMs);
    this.deadlineMs = Math.min(this.deadlineMs, oldAtMs);
  }

  delete(connection: OpenConnection): void {
    this.#options.deadlines.delete(connection);
    this.#oldAtMs.delete(connection);
    if (this.#open.delete(connection) && this.#open.size === 0) this.#whenEmpty?.();
  }

  /** Resolves when the last connection has ended by itself. Idle ones are closed at once. */
  drain(): Promise<void> {
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

  // ---- Timed

  /** Tells those that are old, each once. */
  expire(): void {
    const nowMs = this.#options.clock();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    for (const [connection, oldAtMs] of this.#oldAtMs) {
      if (oldAtMs > nowMs) this.deadlineMs = Math.min(this.deadlineMs, oldAtMs);
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
