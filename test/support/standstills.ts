// Whether this machine was there while tests ran: where its processors are lent to others, everything on it stands still for
// seconds at a time, and a test of who comes first tells of that, not of the program.

/** A process that has nothing to do is woken within milliseconds, also beside others that are busy. */
const LATE_MS = 500;
const EVERY_MS = 100;

export interface Standstills {
  readonly count: number;
  readonly longestMs: number;
}

/** Looks until it is called; for a process that does nothing else. */
export function watchStandstills(clock: () => number = () => performance.now()): () => Standstills {
  let [count, longestMs] = [0, 0];
  let lastMs = clock();
  const look = (): void => {
    const lateMs = clock() - lastMs - EVERY_MS;
    lastMs = clock();
    if (lateMs < LATE_MS) return;
    count += 1;
    longestMs = Math.max(longestMs, lateMs);
  };
  const timer = setInterval(look, EVERY_MS);
  return () => {
    look();
    clearInterval(timer);
    return { count, longestMs };
  };
}

export function standstillsLine({ count, longestMs }: Standstills): string {
  if (count === 0) return 'this machine: never stood still';
  return `this machine: stood still ${count} times for more than ${LATE_MS / 1000} s, ${(longestMs / 1000).toFixed(1)} s at the longest`;
}
