// What `npm run bench` can be told. Everything has a default; a quick run is a smaller full run, never another method.
import { parseArgs } from 'node:util';

export type Program = {
  /** Of its lanes, behind an `@`; empty for the only or first one. */
  readonly label: string;
  readonly path: string;
};

export type Options = {
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Node binaries for our lanes; each brings its own pair of lanes. */
  readonly nodes: readonly string[];
  /** Builds of ours, each with lanes of its own. */
  readonly programs: readonly Program[];
  /** Ids of rows and names of lanes to restrict to; empty means all. */
  readonly rows: readonly string[];
  readonly lanes: readonly string[];
  /** Cores: the peer's, the generator's, the app's. */
  readonly cores: { readonly peer: number; readonly load: number; readonly app: number };
};

export const usage = `npm run bench -- [options]
  --quick            nginx, http-proxy and wire, four rows, one round: under two minutes
  --rounds N         rounds over all lanes, the median counts (default 3, quick 1)
  --seconds N        length of one measurement (default 4, quick 2.5)
  --node PATH        Node binary for our lanes (default: this one); repeatable, each brings its own lanes
  --program PATH     our built program (default dist/proxy.js); repeatable, each brings its own lanes: wire, wire@2;
                     NAME=PATH names them: wire@NAME
  --rows A,B         only these rows          --lanes A,B   only these lanes (wire: wire@2 too)
  --cores P,L,A      core of the peer, of the load generator, of the app (default 0,1,1; 0,1,2 where there are three)
  --help
Only a full run with one program writes bench/results.md and bench/chart.svg; every other one writes them to bench/.work/.`;

export function readOptions(argv: readonly string[], coreCount: number): Options | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      node: { type: 'string', multiple: true },
      program: { type: 'string', multiple: true, default: ['dist/proxy.js'] },
      rows: { type: 'string', default: '' },
      lanes: { type: 'string', default: '' },
      cores: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const cores = (values.cores ?? (coreCount > 2 ? '0,1,2' : '0,1,1')).split(',').map((core) => bounded(core, 0, 1023));
  const [peer, load, app] = cores;
  if (peer === undefined || load === undefined) throw new Error('--cores takes two or three numbers, such as 0,1,1');
  return {
    quick: values.quick,
    rounds: bounded(values.rounds ?? (values.quick ? '1' : '3'), 1, 50),
    seconds: bounded(values.seconds ?? (values.quick ? '2.5' : '4'), 0.5, 120),
    nodes: values.node ?? [process.execPath],
    programs: programsOf(values.program),
    rows: list(values.rows),
    lanes: list(values.lanes),
    cores: { peer, load, app: app ?? load },
  };
}

export function isFullRun(options: Options): boolean {
  const { quick, rows, lanes, programs } = options;
  return !quick && rows.length === 0 && lanes.length === 0 && programs.length === 1;
}

function programsOf(given: readonly string[]): Program[] {
  const programs = given.map((text, index) => {
    const [, name, path] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
    const label = name ?? (index === 0 ? '' : String(index + 1));
    return { label, path: path ?? text };
  });
  const labels = programs.map(({ label }) => label);
  if (new Set(labels).size < labels.length) throw new Error('--program: two programs have the same name');
  return programs;
}

function list(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

function bounded(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`${text}: must be a number from ${least} to ${most}`);
  return value;
}
