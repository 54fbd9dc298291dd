// The order in which a running sidecar stops: not ready, but serving, for the delay; then no new connections, and those
// that are open may finish; at the deadline, which counts from the start, what is left is cut.

import type { Lifecycle } from './lifecycle.ts';

export type Drain = {
  readonly lifecycle: Lifecycle;
  /** Milliseconds; the time-out includes the delay. */
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly clock: () => number;
  /** Without it the delay is skipped: there is nothing left to serve. */
  readonly appAccepts: () => Promise<boolean>;
  /** Stops accepting; resolves when the last connection has ended by itself. */
  readonly finish: () => Promise<void>;
};

/** Resolves when all has ended or the deadline has passed. False when a drain was under way already. */
export async function drain({ lifecycle, delayMs, timeoutMs, clock, appAccepts, finish }: Drain): Promise<boolean> {
  if (!lifecycle.advance('draining')) return false;
  const deadlineMs = clock() + timeoutMs;
  if (delayMs > 0 && (await appAccepts())) await atMost(new Promise(() => {}), Math.min(delayMs, deadlineMs - clock()));
  await atMost(finish(), deadlineMs - clock());
  return true;
}

/** Waits for the promise, but not longer than `ms`. */
async function atMost(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
