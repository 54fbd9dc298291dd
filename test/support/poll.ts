// The one way a test waits for a state it is not told of: ask again until it holds, or fail at a deadline that says what was missing.

import { setTimeout as delay } from 'node:timers/promises';

/** How long a test waits, unless it says otherwise, for what must come: long, because a busy machine is no failure. */
export const patienceMs = 60_000;

export type PollOptions = {
  /** Default patienceMs. */
  deadlineMs?: number;
  everyMs?: number;
  /** What is waited for, as it shall stand after "gave up waiting for". */
  what: string;
};

/**
 * Calls `check` until it returns something other than `undefined`, `null` or `false`, and returns that.
 * A throw means "not yet", so assertions may stand in it (then return true at its end). At the deadline it rejects, the
 * last throw as the cause. The check is asked once more at the deadline itself.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: PollOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const { deadlineMs = patienceMs, everyMs = 20, what } = options;
  const deadline = performance.now() + deadlineMs;
  let last: { returned: T } | { threw: unknown };
  for (;;) {
    const late = performance.now() >= deadline;
    try {
      const returned = await check();
      if (returned !== undefined && returned !== null && returned !== false) {
        return returned as Exclude<T, undefined | null | false>;
      }
      last = { returned };
    } catch (threw) {
      last = { threw };
    }
    if (late) break;
    await delay(Math.max(0, Math.min(everyMs, deadline - performance.now())));
  }
  const why = 'threw' in last ? `last error: ${messageOf(last.threw)}` : `the check returned ${String(last.returned)}`;
  throw new Error(
    `gave up waiting for ${what} after ${deadlineMs} ms; ${why}`,
    'threw' in last ? { cause: last.threw } : {},
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
