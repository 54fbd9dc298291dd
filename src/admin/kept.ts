// An answer that is made once for all who ask at the same time, and kept for a moment: however many ask, it is made at
// most so many times a second. A failure goes to all who waited for it and is not kept.

import type { Clock } from '../exchange.ts';

export function createKept<T>(make: () => Promise<T>, keepMs: number, clock: Clock): () => Promise<T> {
  let made: Promise<T> | undefined;
  /** Infinity while it is being made. */
  let untilMs = 0;
  const begin = async (): Promise<T> => {
    try {
      const answer = await make();
      untilMs = clock() + keepMs;
      return answer;
    } catch (error) {
      made = undefined;
      throw error;
    }
  };
  return () => {
    if (made !== undefined && clock() < untilMs) return made;
    untilMs = Number.POSITIVE_INFINITY;
    made = begin();
    return made;
  };
}
