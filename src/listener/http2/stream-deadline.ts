// Until when the client of one stream has to move something, and how fast: made with the first byte that it owes, of its
// request's body or of room for the answer. Its time begins anew with each byte; its rate does not.

import { BodyRate, type BodyRateLimits } from '../body-rate.ts';

export const NEVER = Number.POSITIVE_INFINITY;

export class StreamDeadline {
  readonly #clientTimeoutMs: number;
  readonly #rate: BodyRate;
  /** When the client will have moved nothing for too long. */
  #silentMs = NEVER;
  #taken = 0;

  constructor(limits: BodyRateLimits) {
    this.#clientTimeoutMs = limits.clientTimeoutMs;
    this.#rate = new BodyRate(limits);
  }

  /** When due() is to be asked; NEVER while the client owes nothing. */
  get deadlineMs(): number {
    return Math.min(this.#silentMs, this.#rate.deadlineMs);
  }

  /** The client owes, and has its whole time for that. */
  owe(nowMs: number): void {
    this.#silentMs = nowMs + this.#clientTimeoutMs;
    this.#rate.run(nowMs);
  }

  rest(nowMs: number): void {
    this.#silentMs = NEVER;
    this.#rate.rest(nowMs);
  }

  /** Bytes of the request's body came. */
  came(bytes: number): void {
    this.#rate.bytes += bytes;
  }

  /** Of the answer: `total` bytes are taken by now; those since the last call count where the client `owed` them. */
  took(total: number, owed: boolean): void {
    if (owed) this.#rate.bytes += total - this.#taken;
    this.#taken = total;
  }

  /** At the deadline: whether it is too late. `renewedMs`: what is said in its favour; `measured`: whether its rate matters. */
  due(nowMs: number, renewedMs: number, measured: boolean): boolean {
    if (this.#rate.fails(nowMs) && measured) return true;
    if (nowMs < this.#silentMs) return false;
    if (renewedMs <= this.#silentMs) return true;
    this.#silentMs = renewedMs;
    return false;
  }

  lags(nowMs: number): boolean {
    return this.#rate.lags(nowMs);
  }
}

/** The earliest of all these deadlines. */
export function earliest(timed: Iterable<{ readonly deadlineMs: number }>, otherMs: number): number {
  let least = otherMs;
  for (const { deadlineMs } of timed) if (deadlineMs < least) least = deadlineMs;
  return least;
}
