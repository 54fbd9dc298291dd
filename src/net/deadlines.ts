// All deadlines of the program: one interval looks at them, so that a request starts and stops no timer. A deadline is a
// field of whatever waits; every time-out is exact to one sweep. A throw in expire() ends what has thrown, nothing else.

import type { Clock } from '../exchange.ts';

/** How often deadlines are looked at. */
export const SWEEP_MS = 250;

export interface Timed {
  /** When expire() is due, on the clock of the sweep; Infinity while nothing is waited for. */
  readonly deadlineMs: number;
  /** Called at every sweep until deadlineMs lies ahead, or it was taken out. */
  expire(): void;
  /** expire() has thrown: it must close what it stands for. */
  crashed(error: unknown): void;
}

export class Deadlines {
  readonly #timed = new Set<Timed>();
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;

  /** The interval runs until close(), and does not keep the process alive. What has come is read before each sweep: after a
   * stall, as at a container's CPU limit, nobody is blamed for the time in which we did not look. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = setInterval(() => setImmediate(() => this.sweep()), SWEEP_MS).unref();
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed);
  }

  /** Called by the interval, and by tests with a clock of their own. */
  sweep(): void {
    const nowMs = this.#clock();
    for (const timed of this.#timed) {
      if (timed.deadlineMs > nowMs) continue;
      try {
        timed.expire();
      } catch (error) {
        timed.crashed(error);
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timed.clear();
  }
}
