// Log lines that anybody can cause by connecting: a number of each kind a minute, each saying how often the kind came since
// the last line. Kinds are words of ours, so that nothing grows with what clients send.

import type { Clock } from '../exchange.ts';
import { TokenBucket } from '../net/token-bucket.ts';

const SECONDS_A_MINUTE = 60;

/** `write` is called with how many times the kind came since its last line. */
export type SampledLog = (kind: string, write: (times: number) => void) => void;

/** `perMinute` lines of a kind at once, and a minute in the long run. */
export function createSampledLog(clock: Clock, perMinute = 1): SampledLog {
  const kinds = new Map<string, { readonly budget: TokenBucket; times: number }>();
  return (kind, write) => {
    const state = kinds.get(kind) ?? { budget: newBudget(clock, perMinute), times: 0 };
    kinds.set(kind, state);
    state.times++;
    if (!state.budget.take()) return;
    write(state.times);
    state.times = 0;
  };
}

function newBudget(clock: Clock, perMinute: number): TokenBucket {
  return new TokenBucket({ burst: perMinute, perSecond: perMinute / SECONDS_A_MINUTE }, clock);
}
