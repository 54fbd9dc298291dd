// What the wire forwarder is meant to reach, as ratios within one run. Shown in the results, met or missed; never a test.
import type { LaneTable } from '../lanes.ts';
import type { Metric, Results } from './results.ts';

type Goal = {
  readonly row: string;
  readonly metric: Metric;
  readonly against: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly text: string;
};

const goals: readonly Goal[] = [
  { row: 'h1-small', metric: 'cpuUs', against: 'nginx', atMost: 1.7, text: 'CPU per small request over HTTP/1.1' },
  { row: 'h1-small', metric: 'cpuUs', against: 'go-httputil', atMost: 1 / 1.7, text: 'CPU per small request, to Go' },
  { row: 'h1-small', metric: 'cpuUs', against: 'caddy', atMost: 1 / 1.7, text: 'CPU per small request, to Caddy' },
  { row: 'h1-small', metric: 'p99Ms', against: 'nginx', atMost: 2, text: 'p99 of small requests at half load' },
  { row: 'h2-small', metric: 'cpuUs', against: 'nginx', atMost: 1.9, text: 'CPU per small request over HTTP/2' },
  { row: 'connect-full', metric: 'cpuUs', against: 'nginx', atMost: 1.6, text: 'CPU per new connection' },
  { row: 'bulk', metric: 'mbPerCpuS', against: 'nginx', atLeast: 1.1, text: 'bulk download, MB per CPU second' },
];

/** Lines of a Markdown table; none where nothing could be compared. */
export function describeGoals(results: Results, lanes: LaneTable): string[] {
  const lines: string[] = [];
  for (const lane of lanes.found.filter(({ name, ours }) => ours && name.startsWith('wire'))) {
    for (const goal of goals) {
      const own = results.median(goal.row, lane.name, goal.metric);
      const other = results.median(goal.row, goal.against, goal.metric);
      if (own === undefined || other === undefined) continue;
      const ratio = own / other;
      const [limit, meant] =
        goal.atMost === undefined
          ? [goal.atLeast ?? 1, `at least ${goal.atLeast?.toFixed(2)}`]
          : [goal.atMost, `at most ${goal.atMost.toFixed(2)}`];
      const met = goal.atMost === undefined ? ratio >= limit : ratio <= limit;
      const verdict = met ? 'met' : `**missed by ${Math.abs((ratio / limit - 1) * 100).toFixed(0)} %**`;
      lines.push(`| ${lane.name}: ${goal.text} | ${goal.against} | ${meant} | ${ratio.toFixed(2)} | ${verdict} |`);
    }
  }
  if (lines.length === 0) return [];
  return ['| goal | against | ratio meant | ratio measured | |', '|---|---|--:|--:|---|', ...lines];
}
