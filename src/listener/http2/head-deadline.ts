// Until when a frame or a request head that has begun has to be whole: each has its time once, however slowly it comes. The
// body of a DATA frame is no part of it; that has the deadlines of its stream.

import type { Clock } from '../../exchange.ts';

const NEVER = Number.POSITIVE_INFINITY;

export class HeadDeadline {
  deadlineMs = NEVER;
  readonly #clock: Clock;
  readonly #headerTimeoutMs: number;
  /** What the deadline is for, as the session numbers it. */
  #unfinished = 0;

  constructor(clock: Clock, headerTimeoutMs: number) {
    this.#clock = clock;
    this.#headerTimeoutMs = headerTimeoutMs;
  }

  /** After each read: what is not whole now. */
  awaits(unfinished: number): void {
    if (unfinished === this.#unfinished) return;
    this.#unfinished = unfinished;
    this.deadlineMs = unfinished === 0 ? NEVER : this.#clock() + this.#headerTimeoutMs;
  }

  get passed(): boolean {
    return this.deadlineMs <= this.#clock();
  }
}
