// How often a client may do something that is harmless now and then: a token bucket.

import type { Clock } from '../exchange.ts';

/** `burst` at once, and `perSecond` in the long run. */
export type Budget = { readonly burst: number; readonly perSecond: number };

export class Bucket {
  readonly #budget: Budget;
  readonly #clock: Clock;
  #left: number;
  #sinceMs: number;

  constructor(budget: Budget, clock: Clock) {
    this.#budget = budget;
    this.#clock = clock;
    this.#left = budget.burst;
    this.#sinceMs = clock();
  }

  /** False when the budget is used up. */
  take(): boolean {
    const { burst, perSecond } = this.#budget;
    const nowMs = this.#clock();
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) * perSecond) / 1000);
    this.#sinceMs = nowMs;
    this.#left--;
    return this.#left >= 0;
  }
}
