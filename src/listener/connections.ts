// Who is connected. One timer looks at every connection's deadline (a field, so that a request costs no timer);
// draining closes what is idle, lets the rest finish, and is told when the last one has left. Never parses.

import type { Clock } from '../exchange.ts';
import { SWEEP_MS } from './limits.ts';

export interface OpenConnection {
  readonly protocol: string;
  /** When expire() is due, on the clock that the registry was given; Infinity for never. */
  readonly deadlineMs: number;
  expire(): void;
  /** Close now if nothing is in flight, else after what is. */
  drain(): void;
  /** Told to go: it takes no new request, and closes after what is in flight. Tunnels stay. */
  retire(): void;
  /** Clients are verified by another CA: whoever was verified before is retired, and his tunnels end now. */
  revoke(): void;
  destroy(): void;
}

export class Connections {
  readonly #open = new Set<OpenConnection>();
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  #draining = false;
  #whenEmpty: (() => void) | undefined;
  #emptied: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
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
    this.#open.add(connection);
  }

  delete(connection: OpenConnection): void {
    if (this.#open.delete(connection) && this.#open.size === 0) this.#whenEmpty?.();
  }

  /** Resolves when the last connection has ended by itself. Idle ones are closed at once. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#emptied ??= new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    if (this.#open.size === 0) this.#whenEmpty?.();
    for (const connection of [...this.#open]) connection.drain();
    return this.#emptied;
  }

  /** Ends, after what is in flight, the connections whose clients would have to be verified anew. */
  revokeAll(): void {
    for (const connection of [...this.#open]) connection.revoke();
  }

  /** Cuts whatever is still open and returns how many that were. */
  destroyAll(): number {
    clearInterval(this.#timer);
    const left = this.#open.size;
    for (const connection of [...this.#open]) connection.destroy();
    return left;
  }

  #sweep(): void {
    const nowMs = this.#clock();
    for (const connection of this.#open) if (connection.deadlineMs <= nowMs) connection.expire();
  }
}
