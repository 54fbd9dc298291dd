// What was measured: a sample is one measurement of one lane in one row; the median over the rounds is what counts.

/** Every figure of the bench: its heading, unit included, its digits, and which way is better. */
export const metrics = {
  cpuUs: { heading: 'CPU µs', digits: 1, better: 'less' },
  rps: { heading: 'per second', digits: 0, better: 'more' },
  offered: { heading: 'half load/s', digits: 0, better: 'more' },
  halfCpuUs: { heading: 'CPU µs at half load', digits: 1, better: 'less' },
  p50Ms: { heading: 'p50 ms', digits: 2, better: 'less' },
  p99Ms: { heading: 'p99 ms', digits: 2, better: 'less' },
  mbPerCpuS: { heading: 'MB per CPU s', digits: 0, better: 'more' },
  mbPerS: { heading: 'MB/s', digits: 0, better: 'more' },
  startMs: { heading: 'start ms', digits: 0, better: 'less' },
  openMs: { heading: 'port open ms', digits: 0, better: 'less' },
  bareMs: { heading: 'bare node -e 0 ms', digits: 0, better: 'less' },
  timesBare: { heading: '× bare', digits: 2, better: 'less' },
  idleOwnMib: { heading: 'idle own MiB', digits: 1, better: 'less' },
  idleSharedMib: { heading: 'shared MiB', digits: 1, better: 'less' },
  idleMib: { heading: 'resident MiB', digits: 1, better: 'less' },
  perConnectionKib: { heading: 'own KiB per idle connection', digits: 1, better: 'less' },
  afterOwnMib: { heading: 'own after load MiB', digits: 1, better: 'less' },
  laterOwnMib: { heading: 'own 30 s later MiB', digits: 1, better: 'less' },
  ownMib: { heading: 'own MiB after', digits: 1, better: 'less' },
  busyPercent: { heading: 'own core %', digits: 0, better: 'less' },
  dialled: { heading: 'app connections', digits: 0, better: 'less' },
} as const satisfies Record<string, { heading: string; digits: number; better: 'less' | 'more' }>;

export type Metric = keyof typeof metrics;
export type Sample = {
  readonly values: Readonly<Partial<Record<Metric, number>>>;
  readonly tls?: string;
  readonly warnings?: readonly string[];
};
/** A lane that cannot be measured in a row, and why: "no h2". */
export type Skipped = { readonly skipped: string };

export interface Results {
  add(row: string, lane: string, sample: Sample | Skipped): void;
  median(row: string, lane: string, metric: Metric): number | undefined;
  /** Least and most over the rounds. */
  range(row: string, lane: string, metric: Metric): readonly [number, number] | undefined;
  skipped(row: string, lane: string): string | undefined;
  /** What the lane negotiated, over all rows. */
  tls(lane: string): string;
  warnings(): readonly string[];
}

export function createResults(): Results {
  const samples = new Map<string, Sample[]>();
  const reasons = new Map<string, string>();
  const negotiated = new Map<string, Set<string>>();
  const warnings = new Set<string>();
  const keyOf = (row: string, lane: string) => `${row}\n${lane}`;
  const sorted = (row: string, lane: string, metric: Metric) =>
    (samples.get(keyOf(row, lane)) ?? [])
      .map((sample) => sample.values[metric])
      .filter((value) => value !== undefined && Number.isFinite(value))
      .sort((a, b) => Number(a) - Number(b)) as number[];
  return {
    add(row, lane, sample) {
      if ('skipped' in sample) {
        reasons.set(keyOf(row, lane), sample.skipped);
        return;
      }
      samples.set(keyOf(row, lane), [...(samples.get(keyOf(row, lane)) ?? []), sample]);
      if (sample.tls) negotiated.set(lane, (negotiated.get(lane) ?? new Set()).add(sample.tls));
      for (const warning of sample.warnings ?? []) warnings.add(`${row}, ${lane}: ${warning}`);
    },
    median(row, lane, metric) {
      const values = sorted(row, lane, metric);
      const upper = values[values.length >> 1];
      const lower = values[(values.length - 1) >> 1];
      return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
    },
    range(row, lane, metric) {
      const values = sorted(row, lane, metric);
      const [least, most] = [values[0], values.at(-1)];
      return least === undefined || most === undefined ? undefined : [least, most];
    },
    skipped: (row, lane) => reasons.get(keyOf(row, lane)),
    tls: (lane) => [...(negotiated.get(lane) ?? [])].sort().join(', ') || 'none',
    warnings: () => [...warnings],
  };
}
