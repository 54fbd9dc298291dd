// The order in which a running sidecar stops: for the delay it is not ready, but serves and accepts, and tells its clients to
// go; then no new connections, and those that are open may finish; at the deadline, which counts from the start, what is left
// is cut. It happens once, whoever asks for it and however often.

import type { Lifecycle } from './lifecycle.ts';

export type DrainOptions = {
  readonly lifecycle: Lifecycle;
  /** Milliseconds; the time-out includes the delay. */
  readonly times: () => { readonly delayMs: number; readonly timeoutMs: number };
  readonly clock: () => number;
  /** Tells every client to go; goes on to accept. */
  readonly announce: () => void;
  /** Stops accepting; resolves when the last connection has ended by itself. */
  readonly finish: () => Promise<void>;
  /** Cuts what is left. */
  readonly cut: () => void;
};

export interface Drain {
  /** Begins, or joins what has begun; resolves when all has ended. */
  begin(): Promise<void>;
  /** There is nothing left to serve: what is left of the delay is skipped. */
  skipDelay(): void;
}

export function createDrain({ lifecycle, times, clock, announce, finish, cut }: DrainOptions): Drain {
  let drained: Promise<void> | undefined;
  let skip: () => void = () => {};
  const skipped = new Promise<void>((resolve) => {
    skip = resolve;
  });
  const run = async (): Promise<void> => {
    const { delayMs, timeoutMs } = times();
    const deadlineMs = clock() + timeoutMs;
    announce();
    if (delayMs > 0) await atMost(skipped, Math.min(delayMs, timeoutMs));
    await lookedAtNetwork();
    await atMost(finish(), deadlineMs - clock());
    cut();
  };
  return {
    begin() {
      lifecycle.advance('draining');
      drained ??= run();
      return drained;
    },
    skipDelay: () => skip(),
  };
}

/** After a stall, as at a container's CPU limit, the delay is over before what came in it was seen: neither a new connection nor
 * a request may be lost for it. */
function lookedAtNetwork(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
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
