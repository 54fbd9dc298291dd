// A histogram whose label sets are known beforehand: observing is one search in a short array and three additions.
// It has the shape that prom-client's registry asks of a metric.

type Value = { readonly labels: Record<string, string | number>; readonly value: number; readonly metricName: string };

export class FastHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series: readonly { labels: Record<string, string>; counts: Float64Array; sum: number }[];

  /** One series for each label set; observe() names it by its index. */
  constructor(name: string, help: string, bounds: readonly number[], labels: readonly Record<string, string>[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.labelNames = Object.keys(labels[0] ?? {});
    this.#series = labels.map((set) => ({ labels: set, counts: new Float64Array(bounds.length + 1), sum: 0 }));
  }

  observe(series: number, value: number): void {
    const entry = this.#series[series];
    if (entry === undefined) return;
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] as number)) i++;
    entry.counts[i] = (entry.counts[i] as number) + 1;
    entry.sum += value;
  }

  reset(): void {
    for (const entry of this.#series) {
      entry.counts.fill(0);
      entry.sum = 0;
    }
  }

  async get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: Value[] }> {
    const values: Value[] = [];
    for (const { labels, counts, sum } of this.#series) {
      let total = 0;
      this.#bounds.forEach((bound, i) => {
        total += counts[i] as number;
        values.push({ labels: { ...labels, le: bound }, value: total, metricName: `${this.name}_bucket` });
      });
      total += counts[this.#bounds.length] as number;
      values.push({ labels: { ...labels, le: '+Inf' }, value: total, metricName: `${this.name}_bucket` });
      values.push({ labels, value: sum, metricName: `${this.name}_sum` });
      values.push({ labels, value: total, metricName: `${this.name}_count` });
    }
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}
