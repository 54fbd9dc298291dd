// `npm run bench`: starts every lane, checks it, measures all rows in rounds, and writes the report.
// It ends what it started, on SIGINT too, and judges nothing: a slow lane is a result, not a failure.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { checkLane, type LaneFacts } from './drive/check.ts';
import { createProcesses, type Processes } from './drive/processes.ts';
import { openSite, type RunningLane, type Site, startLane } from './drive/site.ts';
import { openWorkshop } from './drive/workshop.ts';
import { findLanes } from './lanes.ts';
import { isFullRun, type Options, readOptions, usage } from './options.ts';
import { chartOf } from './report/chart.ts';
import { describeMachine } from './report/machine.ts';
import { markdownOf, tableOf } from './report/report.ts';
import { createResults, type Results } from './report/results.ts';
import { rows as allRows, type Row } from './rows.ts';

type Entrant = RunningLane & { readonly facts: LaneFacts };

const options = readOptions(process.argv.slice(2), cpus().length);
if (options === undefined) console.log(usage);
else await main(options);

async function main(options: Options): Promise<void> {
  const processes = createProcesses();
  process.on('exit', () => processes.killAll());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
  try {
    await run(options, processes);
  } finally {
    await processes.stopAll();
  }
}

async function run(options: Options, processes: Processes): Promise<void> {
  const began = Date.now();
  const workshop = openWorkshop();
  execFileSync('taskset', ['-acp', String(options.cores.load), String(process.pid)], { stdio: 'ignore' });
  const lanes = findLanes(options, workshop);
  console.log(`machine: ${describeMachine()}`);
  console.log(`found:   ${lanes.found.map(({ name, version }) => `${name} ${version}`).join(', ')}`);
  console.log(`missing: ${lanes.missing.join(', ') || 'nothing'}`);

  const site = await openSite(options, workshop, processes);
  const remarks: string[] = [];
  const entrants = await enter(site, lanes.found, remarks);
  const rows = allRows.filter(({ id, quick }) =>
    options.rows.length > 0 ? options.rows.includes(id) : !options.quick || quick,
  );
  const results = createResults();
  for (const row of rows) {
    await measureRow(site, row, entrants, { results, remarks });
    console.log(`\n${row.title}\n${tableOf(row, lanes.found, results).join('\n')}`);
  }

  const folder = isFullRun(options) ? import.meta.dirname : workshop.folder;
  const markdown = markdownOf({ options, lanes, rows, results, remarks });
  writeFileSync(join(folder, 'results.md'), markdown);
  writeFileSync(join(folder, 'chart.svg'), chartOf(lanes.found, results, describeMachine()));
  for (const remark of [...remarks, ...results.warnings()]) console.log(`remark: ${remark}`);
  for (const { name } of lanes.found) console.log(`negotiated: ${name}: ${results.tls(name)}`);
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(`\n${join(folder, 'results.md')} and chart.svg written after ${minutes} minutes`);
}

/** Starts and checks every lane; one that fails is left out, and said so. */
async function enter(site: Site, lanes: readonly RunningLane['lane'][], remarks: string[]): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const lane of lanes) {
    try {
      const running = await startLane(site, lane);
      const facts = await checkLane(site, running);
      entrants.push({ ...running, facts });
      console.log(`checked: ${lane.name}${facts.http2 ? ', h2' : ''}${facts.noGrpc === undefined ? ', gRPC' : ''}`);
    } catch (error) {
      remarks.push(`${lane.name} was left out: ${messageOf(error)}`);
      console.log(remarks.at(-1));
    }
  }
  return entrants;
}

async function measureRow(
  site: Site,
  row: Row,
  entrants: readonly Entrant[],
  into: { readonly results: Results; readonly remarks: string[] },
): Promise<void> {
  const inRow = entrants.filter(({ lane }) => lane.rows?.includes(row.id) ?? true);
  for (let round = 1; round <= site.options.rounds; round++) {
    // every other round backwards: a machine that grows slower or faster meanwhile favours nobody
    const order = round % 2 === 1 ? inRow : inRow.toReversed();
    for (const entrant of order) {
      const lane = entrant.lane.name;
      try {
        const sample = await row.measure(site, entrant, entrant.facts);
        into.results.add(row.id, lane, sample);
        console.log(`${row.id} ${round}/${site.options.rounds} ${lane}: ${shortly(row, sample)}`);
      } catch (error) {
        into.remarks.push(`${row.title}, ${lane}, round ${round}: ${messageOf(error)}`);
        console.log(into.remarks.at(-1));
      }
    }
  }
}

function shortly(row: Row, sample: Awaited<ReturnType<Row['measure']>>): string {
  if ('skipped' in sample) return sample.skipped;
  return row.columns.map((metric) => `${metric} ${sample.values[metric]?.toFixed(2) ?? '-'}`).join(', ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
