// Log lines that anybody can cause by connecting: a number of each kind a minute, at once, then one that says how many there
// were since. Kinds are words of ours, so that nothing grows with what clients send.

import type { Clock } from '../exchange.ts';

const MINUTE_MS = 60_000;

/** `write` is called with how many times the kind came since its last line. */
export type Seldom = (kind: string, write: (times: number) => void) => void;

/** `most` lines of a kind a minute, counted from the first of them. */
export function createSeldom(clock: Clock, most = 1): Seldom {
  const kinds = new Map<string, { untilMs: number; written: number; times: number }>();
  return (kind, write) => {
    const nowMs = clock();
    const state = kinds.get(kind) ?? { untilMs: nowMs, written: 0, times: 0 };
    kinds.set(kind, state);
    state.times++;
    if (nowMs >= state.untilMs) {
      state.untilMs = nowMs + MINUTE_MS;
      state.written = 0;
    }
    if (state.written === most) return;
    write(state.times);
    state.written++;
    state.times = 0;
  };
}
