// Who owes the next byte of a client's connection, and until when. Where the client owes one, its time begins anew with each
// byte that it sends, or takes; what is written to it, and what it sends while it takes nothing, does not renew it.

import type { Clock } from '../../exchange.ts';
import { BodyRate } from '../body-rate.ts';
import type { Limits } from '../limits.ts';

/**
 * What is waited for: the next request; the rest of a head; the rest of a body; that the client takes what was written; the app, or
 * nobody; that the client closes, after we did; the end of a tunnel.
 */
export type Awaited = 'request' | 'head' | 'body' | 'taking' | 'app' | 'close' | 'tunnel';

export type DeadlineLimits = Pick<
  Limits,
  'idleTimeoutMs' | 'headerTimeoutMs' | 'clientTimeoutMs' | 'minBodyRate' | 'lingerMs'
>;

/** A client that takes nothing is cut between one time-out after its last byte and one and a quarter. */
const LOOKS_PER_TIMEOUT = 4;

export class ClientDeadline {
  /** Of bodies, of which it counts only those that the client owes. */
  readonly rate: BodyRate;
  #dueMs = Number.POSITIVE_INFINITY;
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
    this.rate = new BodyRate(limits);
  }

  /** When tooSlow() and passed() are to be asked; Infinity while the client owes nothing. */
  get deadlineMs(): number {
    return Math.min(this.#dueMs, this.rate.deadlineMs);
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
    if (this.#awaited === 'body') this.#dueMs = this.#clock() + this.#limits.clientTimeoutMs;
  }

  /** What was written waits for the client. */
  awaitTaking(): void {
    if (this.#awaited === 'taking') return;
    this.#takenBefore = this.#taken();
    this.#await('taking', this.#limits.clientTimeoutMs / LOOKS_PER_TIMEOUT);
    this.#takenAtMs = this.#clock();
  }

  /** The client owes nothing: it is the app's turn, whose deadline is not ours. */
  awaitApp(): void {
    this.#rest('app');
  }

  /** All has been sent and our direction is ended. */
  awaitClose(): void {
    this.#await('close', this.#limits.lingerMs);
  }

  /** The bytes are not ours to wait for. */
  awaitTunnel(): void {
    this.#rest('tunnel');
  }

  /** Another exchange begins. */
  begin(): void {
    this.awaitApp();
    this.rate.reset();
  }

  /** Whether a body moves too slowly; true at most once for each average. */
  tooSlow(): boolean {
    this.#countTaken();
    return this.rate.fails(this.#clock());
  }

  /** Whether it does so far. */
  get lags(): boolean {
    this.#countTaken();
    return this.rate.lags(this.#clock());
  }

  /** At the deadline: what did not come in time; undefined where the client goes on taking, however slowly. */
  passed(): Awaited | undefined {
    if (this.#clock() < this.#dueMs || (this.#awaited === 'taking' && this.#goesOnTaking())) return undefined;
    this.#rest(this.#awaited);
    return this.#awaited;
  }

  #goesOnTaking(): boolean {
    const nowMs = this.#clock();
    this.#countTaken();
    const { clientTimeoutMs } = this.#limits;
    const endMs = this.#takenAtMs + clientTimeoutMs;
    this.#dueMs = Math.min(endMs, nowMs + clientTimeoutMs / LOOKS_PER_TIMEOUT);
    return nowMs < endMs;
  }

  #countTaken(): void {
    if (this.#awaited !== 'taking') return;
    const taken = this.#taken();
    if (taken === this.#takenBefore) return;
    this.rate.bytes += taken - this.#takenBefore;
    this.#takenBefore = taken;
    this.#takenAtMs = this.#clock();
  }

  #await(awaited: Awaited, ms: number): void {
    this.#countTaken();
    const nowMs = this.#clock();
    this.#awaited = awaited;
    this.#dueMs = nowMs + ms;
    if (awaited === 'body' || awaited === 'taking') this.rate.run(nowMs);
    else if (this.rate.running) this.rate.rest(nowMs);
  }

  #rest(awaited: Awaited): void {
    this.#countTaken();
    this.#awaited = awaited;
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (this.rate.running) this.rate.rest(this.#clock());
  }
}
