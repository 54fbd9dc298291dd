// Whether a client moves the body of its request, or takes that of its answer, fast enough for what that costs others: the
// connection to the app that it holds meanwhile. Only time in which the client owes something counts, so that a slow app is
// never the client's fault. Whoever moves bytes adds them; there is no timer, the sweep asks.

import type { ExchangeState } from './exchange-state.ts';
import type { Limits } from './limits.ts';

export type BodyRateLimits = Pick<Limits, 'minBodyRate' | 'clientTimeoutMs'>;

/** Less says nothing: a moment's stall. */
const LEAST_MS = 500;
const NEVER = Number.POSITIVE_INFINITY;

/** Whether it matters for this exchange: a connection to the app is held for it, and silence is not normal. `silent`: it may be. */
export function isMeasured({ carrier, ended, patient, grpc }: ExchangeState, silent = grpc): boolean {
  return carrier !== undefined && !ended && !patient && !silent;
}

export class BodyRate {
  /** That were moved since the present average was begun. */
  bytes = 0;
  readonly #limits: BodyRateLimits;
  #owedMs = 0;
  /** Since when the client owes; NEVER while it does not. */
  #sinceMs = NEVER;

  constructor(limits: BodyRateLimits) {
    this.#limits = limits;
  }

  get running(): boolean {
    return this.#sinceMs !== NEVER;
  }

  /** Another exchange. */
  reset(): void {
    this.bytes = 0;
    this.#owedMs = 0;
    this.#sinceMs = NEVER;
  }

  /** The client owes from now on. */
  run(nowMs: number): void {
    if (!this.running) this.#sinceMs = nowMs;
  }

  /** The client owes nothing for now. */
  rest(nowMs: number): void {
    this.#owedMs = this.#owed(nowMs);
    this.#sinceMs = NEVER;
  }

  /** When enough time was owed for an average; NEVER while none is owed. */
  get deadlineMs(): number {
    const { minBodyRate, clientTimeoutMs } = this.#limits;
    return minBodyRate === 0 ? NEVER : this.#sinceMs + clientTimeoutMs - this.#owedMs;
  }

  /** Whether the average, now that it is due, is too low; then the next one is begun. */
  fails(nowMs: number): boolean {
    if (nowMs < this.deadlineMs) return false;
    const slow = this.#slowerThan(this.#owed(nowMs));
    this.reset();
    this.run(nowMs);
    return slow;
  }

  /** Whether it is too low so far, where somebody else waits for what this holds. */
  lags(nowMs: number): boolean {
    const owedMs = this.#owed(nowMs);
    return this.running && owedMs >= LEAST_MS && this.#slowerThan(owedMs);
  }

  #owed(nowMs: number): number {
    return this.running ? this.#owedMs + nowMs - this.#sinceMs : this.#owedMs;
  }

  #slowerThan(owedMs: number): boolean {
    return this.bytes * 1000 < this.#limits.minBodyRate * owedMs;
  }
}
