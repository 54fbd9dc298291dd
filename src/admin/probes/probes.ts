// GET /probe/…: what the kubelet may have asked of the app inside the Pod, which is what `--probe` declares and nothing else.
// Whoever asks within half a second of another gets the same verdict, so that the app is not asked more often than that; a
// question that nobody waits for any more is given up.

import { type Probe, pathOfProbe } from '../../config/probe.ts';
import type { Clock } from '../../exchange.ts';
import { askApp } from './ask.ts';
import type { Verdict } from './verdict.ts';

/** Below the shortest period of a probe, which is 1 s. */
const SHARE_MS = 500;
/** Longer than any kubelet waits that is not set to; it leaves when its own `timeoutSeconds` are over. */
const TIMEOUT_MS = 30_000;

/** Registers a callback for when whoever asked has left. */
export type OnLeft = (callback: () => void) => void;

export interface Probes {
  /** Whether a probe is declared under this path of the admin port. */
  has(path: string): boolean;
  /** Rejects where none is declared. */
  ask(path: string, onLeft: OnLeft): Promise<Verdict>;
  /** Every path that is declared. */
  readonly paths: readonly string[];
}

export function createProbes(probes: readonly Probe[], clock: Clock, timeoutMs = TIMEOUT_MS): Probes {
  const questions = new Map<string, Question>();
  for (const probe of probes) {
    const question = new Question(probe, clock, timeoutMs);
    const path = pathOfProbe(probe);
    questions.set(path, question);
    if (probe.path === '' && probe.kind.startsWith('http')) questions.set(`${path}/`, question);
    if (probe.path === '/') questions.set(path.slice(0, -1), question);
  }
  return {
    has: (path) => questions.has(path),
    async ask(path, onLeft) {
      const question = questions.get(path);
      if (question === undefined) throw new Error(`no probe is declared as ${path}`);
      return question.ask(onLeft);
    },
    paths: [...new Set(probes.map(pathOfProbe))],
  };
}

type Asked = {
  readonly sinceMs: number;
  readonly verdict: Promise<Verdict>;
  readonly ending: AbortController;
  /** How many wait for the verdict. */
  waiting: number;
  settled: boolean;
};

class Question {
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #asked: Asked | undefined = undefined;

  constructor(probe: Probe, clock: Clock, timeoutMs: number) {
    this.#probe = probe;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  ask(onLeft: OnLeft): Promise<Verdict> {
    const asked = this.#joinable() ?? this.#begin();
    asked.waiting++;
    onLeft(() => {
      if (--asked.waiting === 0 && !asked.settled) this.#giveUpLater(asked);
    });
    return asked.verdict;
  }

  /** Not before another may begin: who asks and leaves all the time makes no more of them than who stays. */
  #giveUpLater(asked: Asked): void {
    const leftMs = Math.max(0, asked.sinceMs + SHARE_MS - this.#clock());
    const giveUp = (): void => {
      if (asked.waiting === 0 && !asked.settled) asked.ending.abort();
    };
    setTimeout(giveUp, leftMs).unref();
  }

  /** One that was given up is nobody's verdict. */
  #joinable(): Asked | undefined {
    const asked = this.#asked;
    const young = asked !== undefined && this.#clock() - asked.sinceMs < SHARE_MS;
    return young && !asked.ending.signal.aborted ? asked : undefined;
  }

  #begin(): Asked {
    const ending = new AbortController();
    const verdict = askApp(this.#probe, this.#timeoutMs, ending.signal);
    const asked: Asked = { sinceMs: this.#clock(), verdict, ending, waiting: 0, settled: false };
    void verdict.then(() => {
      asked.settled = true;
    });
    this.#asked = asked;
    return asked;
  }
}
