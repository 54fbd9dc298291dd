// Turns results into text: one Markdown table a row, for the terminal and for results.md alike.

import type { Lane, LaneTable } from '../lanes.ts';
import type { Options } from '../options.ts';
import type { Row } from '../rows.ts';
import { describeGoals } from './goals.ts';
import { describeCommit, describeMachine, describeVersions } from './machine.ts';
import { type Metric, metrics, type Results } from './results.ts';

/** Below this share of its own core a lane was not what limited the rate. */
const saturatedPercent = 90;

export function tableOf(row: Row, lanes: readonly Lane[], results: Results): string[] {
  const [primary = 'cpuUs'] = row.columns;
  const headings = row.columns.map((metric) => metrics[metric].heading);
  const [first = '', ...others] = headings;
  const lines = [`| | ${[first, '× nginx', '× app', 'range', ...others].join(' | ')} |`];
  lines.push(`|---|${'--:|'.repeat(headings.length + 3)}`);
  for (const { name, ours, rows } of lanes) {
    if (rows?.includes(row.id) === false) continue;
    const label = ours ? `**${name}**` : name;
    const skipped = results.skipped(row.id, name);
    const value = results.median(row.id, name, primary);
    if (value === undefined) {
      lines.push(`| ${label} | ${skipped ?? 'not measured'} |${' |'.repeat(headings.length + 2)}`);
      continue;
    }
    const ratio = (to: string) => ratioText(value, results.median(row.id, to, primary));
    const cells = [format(primary, value), ratio('nginx'), ratio('app'), rangeText(row, name, primary, results)];
    cells.push(...row.columns.slice(1).map((metric) => cell(row, name, metric, results)));
    lines.push(`| ${label} | ${cells.join(' | ')} |`);
  }
  return align(lines);
}

function cell(row: Row, lane: string, metric: Metric, results: Results): string {
  const value = results.median(row.id, lane, metric);
  if (value === undefined) return '';
  const text = format(metric, value);
  const busy = results.median(row.id, lane, 'busyPercent') ?? 100;
  if (metric === 'rps' && busy < saturatedPercent) return `≥ ${text}`;
  if (metric === 'p99Ms') return `${text} (${ratioText(value, results.median(row.id, 'nginx', metric))})`;
  return text;
}

function rangeText(row: Row, lane: string, metric: Metric, results: Results): string {
  const [least, most] = results.range(row.id, lane, metric) ?? [];
  if (least === undefined || most === undefined || least === most) return '';
  return `${format(metric, least)}–${format(metric, most)}`;
}

function format(metric: Metric, value: number): string {
  return value.toFixed(metrics[metric].digits);
}

function ratioText(value: number, to: number | undefined): string {
  return to === undefined || to === 0 ? '' : `${(value / to).toFixed(2)}×`;
}

/** Pads the cells so that the table can be read as it stands. */
function align(lines: readonly string[]): string[] {
  const table = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  return table.map((cells, line) => {
    const padded = widths.map((width, column) => {
      const text = cells[column] ?? '';
      if (line === 1) return column === 0 ? '-'.repeat(width) : `${'-'.repeat(Math.max(1, width - 1))}:`;
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  });
}

export type Report = {
  readonly options: Options;
  readonly lanes: LaneTable;
  readonly rows: readonly Row[];
  readonly results: Results;
  /** Lanes that were left out, and other things a reader must know. */
  readonly remarks: readonly string[];
};

export function markdownOf({ options, lanes, rows, results, remarks }: Report): string {
  const { cores, rounds, seconds } = options;
  const goals = describeGoals(results, lanes);
  const warnings = results.warnings();
  return [
    '# Results of the bench',
    '',
    'Written by `npm run bench`; not edited by hand. The method and how to read it: [README.md](README.md).',
    '',
    '![CPU time per request of each lane](chart.svg)',
    '',
    `- Date: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC; commit: ${describeCommit()}`,
    `- Machine: ${describeMachine()}`,
    `- Versions: ${describeVersions(lanes)}`,
    `- Cores: peer on ${cores.peer}, load generator on ${cores.load}, app on ${cores.app}`,
    `- ${rounds} rounds of ${seconds} s for each lane and row, interleaved; the median counts, \`range\` is the least and the most`,
    `- Missing: ${lanes.missing.join(', ') || 'nothing'}`,
    '',
    ...(goals.table.length > 0 ? ['## Goals of the wire forwarder', '', ...align(goals.table), ''] : []),
    ...(goals.missed.length > 0 ? ['Where the time goes, of those that were missed:', '', ...goals.missed, ''] : []),
    ...rows.flatMap((row) => [`## ${row.title}`, '', ...tableOf(row, lanes.found, results), '']),
    '## What each lane negotiated',
    '',
    ...lanes.found.map(({ name, kind }) => `- ${name} (${kindText[kind]}): ${results.tls(name)}`),
    ...(remarks.length + warnings.length > 0 ? ['', '## Remarks', ''] : []),
    ...[...remarks, ...warnings].map((remark) => `- ${remark}`),
    '',
  ].join('\n');
}

const kindText = { app: 'the app asked directly', http: 'reverse proxy', tcp: 'plain TCP terminator' } as const;
