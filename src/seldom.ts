// Log lines that anybody can cause by connecting: the first of a kind at once, then at most one a minute, which says how
// many there were since. Kinds are words of ours, so that nothing grows with what clients send.

import type { Clock } from './exchange.ts';

const PAUSE_MS = 60_000;

/** `write` is called with how many times the kind came since its last line. */
export type Seldom = (kind: string, write: (times: number) => void) => void;

export function createSeldom(clock: Clock): Seldom {
  const kinds = new Map<string, { nextMs: number; times: number }>();
  return (kind, write) => {
    const nowMs = clock();
    const state = kinds.get(kind) ?? { nextMs: nowMs, times: 0 };
    kinds.set(kind, state);
    state.times++;
    if (nowMs < state.nextMs) return;
    write(state.times);
    state.times = 0;
    state.nextMs = nowMs + PAUSE_MS;
  };
}
