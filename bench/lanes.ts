// The lanes of a run: the recipes whose program is installed, ready to be started on a port.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram, type Workshop } from './drive/workshop.ts';
import type { Options } from './options.ts';
import { type Recipe, recipesOf } from './recipes.ts';

export type Lane = {
  readonly name: string;
  readonly kind: Recipe['kind'];
  readonly ours: boolean;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  /** Ids of the only rows that it is in; undefined: all. */
  readonly rows?: readonly string[];
  /** Starts its runtime with nothing to do. */
  readonly bare?: readonly string[];
  /** Writes the lane's configuration for these ports and says how to start it. */
  command(port: number, appPort: number): string[];
};

export type LaneTable = { readonly found: readonly Lane[]; readonly missing: readonly string[] };

export function findLanes(options: Options, workshop: Workshop): LaneTable {
  const found: Lane[] = [];
  const missing: string[] = [];
  for (const recipe of recipesOf(options, workshop)) {
    const wanted =
      options.lanes.length > 0 ? isNamed(recipe.name, options.lanes) : !options.quick || recipe.quick === true;
    if (!wanted) continue;
    const program = recipe.programs.map(findProgram).find((path) => path !== undefined);
    if (program === undefined) missing.push(`${recipe.name} (no ${recipe.programs.join(' or ')})`);
    else found.push(createLane(recipe, program, workshop));
  }
  return { found, missing };
}

/** By its whole name, or by that before the `@`: `wire` is all builds. */
function isNamed(lane: string, names: readonly string[]): boolean {
  return names.includes(lane) || names.includes(lane.split('@', 1)[0] ?? '');
}

function createLane(recipe: Recipe, program: string, workshop: Workshop): Lane {
  return {
    name: recipe.name,
    kind: recipe.kind,
    ours: recipe.ours ?? false,
    version: versionFrom(recipe.version(program)),
    env: { ...cleanEnvironment(), ...recipe.env },
    ...(recipe.rows === undefined ? {} : { rows: recipe.rows }),
    ...(recipe.bare === undefined ? {} : { bare: recipe.bare }),
    command(port, app) {
      const config = join(workshop.folder, `${recipe.name}.conf`);
      if (recipe.template !== undefined) {
        const text = readFileSync(join(import.meta.dirname, 'peers', recipe.template), 'utf8');
        const { cert, key, pem, folder: work } = workshop;
        const accessLog = recipe.accessLog ?? 'off';
        const ports = { port: String(port), app: String(app) };
        const values = { cert, key, pem, work, accessLog, ...ports, user: userInfo().username };
        writeFileSync(config, fill(text, values));
      }
      return recipe.command({ program, config, port, app });
    },
  };
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`a template asks for {{${name}}}, which nobody fills in`);
    return value;
  });
}

/** The environment without what would set our own options or Node's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(TLS_SIDECAR_|NODE_|npm_)/.test(name));
  return Object.fromEntries(kept);
}

function versionFrom(command: readonly string[]): string {
  try {
    const [program = '', ...args] = command;
    const bothOutputs = 'exec "$0" "$@" 2>&1'; // half of them answer on stderr
    const text = execFileSync('sh', ['-c', bothOutputs, program, ...args], { encoding: 'utf8', timeout: 5000 });
    return /\d+\.\d+(\.\d+)?[\w.+~-]*/.exec(text)?.[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
