// Who owes the next byte of a client's connection, and until when. Where the client owes one, its time begins anew with each
// byte that it sends, or takes; what is written to it, and what it sends while it takes nothing, does not renew it.

import type { Clock } from '../../exchange.ts';
import type { Limits } from '../limits.ts';

/**
 * What is waited for: the next request; the rest of a head; the rest of a body; that the client takes what was written; the app, or
 * nobody; that the client closes, after we did; the end of a tunnel.
 */
export type Awaited = 'request' | 'head' | 'body' | 'taking' | 'app' | 'close' | 'tunnel';

export type DeadlineLimits = Pick<Limits, 'idleTimeoutMs' | 'headerTimeoutMs' | 'clientTimeoutMs' | 'lingerMs'>;

/** A client that takes nothing is cut between one time-out after its last byte and one and a quarter. */
const LOOKS_PER_TIMEOUT = 4;

export class ClientDeadline {
  /** When passed() is to be asked; Infinity while the client owes nothing. */
  deadlineMs = Number.POSITIVE_INFINITY;
  #awaited: Awaited = 'request';
  readonly #limits: DeadlineLimits;
  readonly #clock: Clock;
  /** How many bytes the client has taken. */
  readonly #taken: () => number;
  #takenBefore = 0;
  #takenAtMs = 0;

  constructor(limits: DeadlineLimits, clock: Clock, taken: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#taken = taken;
  }

  get awaited(): Awaited {
    return this.#awaited;
  }

  /** Nothing is in flight; `brief`: nor will be much longer. */
  awaitRequest(brief = false): void {
    this.#await('request', brief ? this.#limits.lingerMs : this.#limits.idleTimeoutMs);
  }

  /** The whole head is due in the time from its first byte. */
  awaitHead(): void {
    if (this.#awaited !== 'head') this.#await('head', this.#limits.headerTimeoutMs);
  }

  awaitBody(): void {
    if (this.#awaited !== 'body') this.#await('body', this.#limits.clientTimeoutMs);
  }

  /** Bytes of the body came. */
  bodyCame(): void {
    if (this.#awaited === 'body') this.#await('body', this.#limits.clientTimeoutMs);
  }

  /** What was written waits for the client. */
  awaitTaking(): void {
    if (this.#awaited === 'taking') return;
    this.#takenBefore = this.#taken();
    this.#takenAtMs = this.#clock();
    this.#await('taking', this.#limits.clientTimeoutMs / LOOKS_PER_TIMEOUT);
  }

  /** The client owes nothing: it is the app's turn, whose deadline is not ours. */
  awaitApp(): void {
    this.#awaited = 'app';
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** All has been sent and our direction is ended. */
  awaitClose(): void {
    this.#await('close', this.#limits.lingerMs);
  }

  /** The bytes are not ours to wait for. */
  awaitTunnel(): void {
    this.#awaited = 'tunnel';
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** At the deadline: what did not come in time; undefined where the client goes on taking, however slowly. */
  passed(): Awaited | undefined {
    if (this.#awaited === 'taking' && this.#goesOnTaking()) return undefined;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    return this.#awaited;
  }

  #goesOnTaking(): boolean {
    const nowMs = this.#clock();
    const taken = this.#taken();
    if (taken !== this.#takenBefore) this.#takenAtMs = nowMs;
    this.#takenBefore = taken;
    const { clientTimeoutMs } = this.#limits;
    const endMs = this.#takenAtMs + clientTimeoutMs;
    this.deadlineMs = Math.min(endMs, nowMs + clientTimeoutMs / LOOKS_PER_TIMEOUT);
    return nowMs < endMs;
  }

  #await(awaited: Awaited, ms: number): void {
    this.#awaited = awaited;
    this.deadlineMs = this.#clock() + ms;
  }
}
