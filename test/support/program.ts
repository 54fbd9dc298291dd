// The program as it is shipped, dist/proxy.js, run as a child of the test, and what it prints. No child outlives the test
// process. Nothing named TLS_SIDECAR_* reaches it from the test's own environment; TEST_NODE names another node binary to
// run it with, else it is run by the one that runs the test.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { patienceMs } from './poll.ts';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));
const program = join(repositoryRoot, 'dist', 'proxy.js');

export type Exit = { code: number | null; signal: NodeJS.Signals | null };
type Environment = Record<string, string | undefined>;

export type ProgramOptions = {
  /** Added to the environment; undefined takes a variable out. */
  env?: Environment;
  /** The node binary; default TEST_NODE, else the one that runs the test. */
  node?: string;
  /** Options of node itself, before the program. */
  nodeArgs?: readonly string[];
  /** Instead of dist/proxy.js. */
  program?: string;
  cwd?: string;
};

type Child = ChildProcessByStdio<null, Readable, Readable>;

export interface Run {
  readonly child: Child;
  readonly exited: Promise<Exit>;
  stdout(): string;
  stderr(): string;
}

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs the program with these arguments until it exits by itself; rejects, and kills it, at the deadline (30000 ms). */
export async function runToExit(
  args: readonly string[],
  options: ProgramOptions & { deadlineMs?: number } = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  const { deadlineMs = patienceMs } = options;
  const run = launch(args, options);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    run.child.kill('SIGKILL');
  }, deadlineMs);
  const exit = await run.exited;
  clearTimeout(timer);
  if (late) throw new Error(`still running after ${deadlineMs} ms: ${args.join(' ')}\n${printed(run)}`);
  return { ...exit, stdout: run.stdout(), stderr: run.stderr() };
}

/** The resident set of a process, from /proc. */
export function rssBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kibibytes === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(kibibytes) * 1024;
}

export function launch(args: readonly string[], options: ProgramOptions = {}): Run {
  const script = options.program ?? program;
  if (!existsSync(script)) throw new Error(`${script} is not there: npm run build makes it`);
  const node = options.node ?? process.env.TEST_NODE ?? process.execPath;
  const child = spawn(node, [...(options.nodeArgs ?? []), script, ...args], {
    cwd: options.cwd ?? repositoryRoot,
    env: environment(options.env ?? {}),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const stdout = collect(child.stdout);
  const stderrText = collect(child.stderr);
  let failure = ''; // of the spawn itself: no such binary, no such directory
  const stderr = (): string => stderrText() + failure;
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      failure = error.message;
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return { child, exited, stdout, stderr };
}

function environment(changes: Environment): Environment {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('TLS_SIDECAR_') && name !== 'NODE_OPTIONS' && name !== 'NODE_TEST_CONTEXT',
  );
  return { ...Object.fromEntries(inherited), ...changes };
}

function collect(stream: Readable): () => string {
  const chunks: string[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => chunks.push(chunk));
  return () => chunks.join('');
}

/** The end of what it has said so far, for a message. */
export function printed(run: Run): string {
  return `stdout:\n${run.stdout().slice(-4000)}\nstderr:\n${run.stderr().slice(-4000)}`;
}
