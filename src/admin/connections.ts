// Who may stay connected to the admin server: some dozens, each for one request, and no longer than a probe needs. Above the
// limit whoever kept us waiting longest gives way, never the newcomer: slow connections, however many, cost no probe.

import type { Socket } from 'node:net';
import type { Clock } from '../exchange.ts';
import { Deadlines, type Timed } from '../net/deadlines.ts';

export type ConnectionLimits = {
  /** Connections that are kept. */
  readonly most: number;
  /** From the connection to the end of the request's head, silence included. */
  readonly requestMs: number;
  /** For the client to take its answer, once it is written. */
  readonly takeMs: number;
};

/** Accepted in one turn at most; above it they give way before their requests could be read. */
const MOST_AT_ONCE = 256;

export class AdminConnections {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** In the order of their arrival. */
  readonly #open = new Map<Socket, AdminConnection>();
  #trimming = false;

  constructor(limits: ConnectionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock);
  }

  add(socket: Socket): void {
    const connection = new AdminConnection(socket, this.#limits, this.#clock);
    this.#open.set(socket, connection);
    this.#deadlines.add(connection);
    socket.on('close', () => this.#remove(socket, connection));
    if (this.#open.size > MOST_AT_ONCE) this.#trim(MOST_AT_ONCE);
    else if (this.#open.size > this.#limits.most) this.#trimSoon();
  }

  /** Undefined once it has given way. */
  of(socket: Socket): AdminConnection | undefined {
    return this.#open.get(socket);
  }

  close(): void {
    this.#deadlines.close();
    for (const socket of [...this.#open.keys()]) socket.destroy();
  }

  #remove(socket: Socket, connection: AdminConnection): void {
    this.#open.delete(socket);
    this.#deadlines.delete(connection);
  }

  /** What a new connection has sent is read in the next turn: only then is it known who is slow. */
  #trimSoon(): void {
    if (this.#trimming) return;
    this.#trimming = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#trimming = false;
        this.#trim(this.#limits.most);
      }),
    );
  }

  #trim(most: number): void {
    while (this.#open.size > most) {
      const connection = this.#slowest();
      this.#remove(connection.socket, connection);
      connection.socket.destroy();
    }
  }

  /** Of all but the newest: who kept us waiting longest; only if none did, the oldest that waits for us. */
  #slowest(): AdminConnection {
    const [first, ...others] = [...this.#open.values()].slice(0, -1) as [AdminConnection, ...AdminConnection[]];
    return others.reduce((slowest, one) => (one.waitingSinceMs < slowest.waitingSinceMs ? one : slowest), first);
  }
}

export class AdminConnection implements Timed {
  readonly socket: Socket;
  /** Since when it keeps us waiting; Infinity while it waits for us. */
  waitingSinceMs: number;
  deadlineMs: number;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  #hasAsked = false;

  constructor(socket: Socket, limits: ConnectionLimits, clock: Clock) {
    this.socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.waitingSinceMs = clock();
    this.deadlineMs = this.waitingSinceMs + limits.requestMs;
  }

  /** Its request is there; false if it had one already. */
  asked(): boolean {
    if (this.#hasAsked) return false;
    this.#hasAsked = true;
    this.waitingSinceMs = Number.POSITIVE_INFINITY;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Its answer is written, and the client has to take it. */
  answered(): void {
    this.waitingSinceMs = this.#clock();
    this.deadlineMs = this.waitingSinceMs + this.#limits.takeMs;
  }

  expire(): void {
    this.socket.destroy();
  }

  crashed(): void {
    this.socket.destroy();
  }
}
