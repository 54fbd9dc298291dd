// Waiting for a state of the cluster, as test/support/poll.ts does, but that a program which has ended is not waited for.

import { setTimeout as delay } from 'node:timers/promises';
import { Ended } from './daemon.ts';

export type WaitOptions = { readonly what: string; readonly limitMs?: number; readonly everyMs?: number };

/** `check` returns undefined or false for "not yet", or throws what stands in the way. */
export async function until<T>(check: () => Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const { what, limitMs = 120_000, everyMs = 250 } = options;
  const deadline = performance.now() + limitMs;
  for (let last = ''; ; ) {
    const late = performance.now() >= deadline;
    try {
      const found = await check();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      if (error instanceof Ended) throw error;
      last = error instanceof Error ? error.message : String(error);
    }
    if (late) throw new Error(`gave up waiting for ${what} after ${limitMs / 1000} s${last === '' ? '' : `: ${last}`}`);
    await delay(everyMs);
  }
}
