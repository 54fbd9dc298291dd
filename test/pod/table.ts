// The figures of one run as a Markdown table, for the document and for whoever runs it.

export type Figures = {
  /** From `podman start` to the first success of the startup probe: at the beginning, and after the kill. */
  readonly startupMs: readonly number[];
  /** Resident memory of the sidecar after the first answer, and at most before the kill, in bytes. */
  readonly idle: number;
  readonly peak: number;
  readonly limit: number;
  readonly cpu: string;
  readonly cores: number;
};

export function figuresTable({ startupMs, idle, peak, limit, cpu, cores }: Figures): string {
  const rows = [
    [
      'from `podman start` to a successful startup probe',
      startupMs.map((ms) => `${Math.round(ms)} ms`).join(', again '),
    ],
    ['resident after the first answer', megabytes(idle)],
    ['most that was resident, under load and 20 rotations', megabytes(peak)],
    ['memory limit', megabytes(limit)],
  ];
  const head = `| The sidecar in the Pod (${cores} cores, ${cpu}) | |\n|---|---:|`;
  return [head, ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
