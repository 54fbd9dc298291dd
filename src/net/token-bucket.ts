// How often a thing may happen that is fine now and then: a token bucket.

import type { Clock } from '../exchange.ts';

/** `burst` at once, and `perSecond` in the long run. */
export type Pace = { readonly burst: number; readonly perSecond: number };

export class TokenBucket {
  readonly #clock: Clock;
  /** One token is as many milliseconds of credit, so that whole ones add up exactly. */
  readonly #costMs: number;
  readonly #maxCreditMs: number;
  #creditMs: number;
  #sinceMs: number;

  constructor({ burst, perSecond }: Pace, clock: Clock) {
    this.#clock = clock;
    this.#costMs = 1000 / perSecond;
    this.#maxCreditMs = burst * this.#costMs;
    this.#creditMs = this.#maxCreditMs;
    this.#sinceMs = clock();
  }

  /** False when the budget is used up; that costs nothing. */
  take(): boolean {
    const nowMs = this.#clock();
    this.#creditMs = Math.min(this.#maxCreditMs, this.#creditMs + nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
    if (this.#creditMs < this.#costMs) return false;
    this.#creditMs -= this.#costMs;
    return true;
  }
}
