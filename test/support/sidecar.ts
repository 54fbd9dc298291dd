// Runs the real program, dist/proxy.js, as a child, and reads it from outside: its log lines, its exit, its memory.
// No child outlives the test process. Environment: nothing named TLS_SIDECAR_* leaks in from the test's own; TEST_NODE names
// another node binary to run it with.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { eventually } from './poll.ts';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));
const program = join(repositoryRoot, 'dist', 'proxy.js');

export type LogLine = Readonly<Record<string, unknown>>;
export type Exit = { code: number | null; signal: NodeJS.Signals | null };
type Environment = Record<string, string | undefined>;

export type SidecarOptions = {
  /** The command and its options; without a command it serves. */
  args?: readonly string[];
  /** Added to the environment; undefined takes a variable out. */
  env?: Environment;
  /** The node binary; default TEST_NODE, else the one that runs the test. */
  node?: string;
  /** Options of node itself, before the program. */
  nodeArgs?: readonly string[];
  cwd?: string;
  /** Until the log line `serving`; default 15000. */
  deadlineMs?: number;
};

export interface Sidecar {
  readonly pid: number;
  readonly port: number;
  /** 0 with `--admin off`. */
  readonly adminPort: number;
  /** Every JSON line of stdout so far. */
  readonly logs: readonly LogLine[];
  /** The lines of stdout that are no JSON object: there should be none. */
  readonly otherLines: readonly string[];
  readonly stderr: string;
  readonly exited: Promise<Exit>;
  /** The first line, earlier ones included, that the predicate (or its msg) matches. */
  waitForLog(wanted: string | ((line: LogLine) => boolean), deadlineMs?: number): Promise<LogLine>;
  kill(signal: NodeJS.Signals): void;
  /** Sends the signal and waits; SIGKILL after the deadline (10000 ms), which the exit's `signal` then tells. */
  stop(signal?: NodeJS.Signals, deadlineMs?: number): Promise<Exit>;
  rssBytes(): number;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;
type Run = { child: Child; exited: Promise<Exit>; stdout: () => string; stderr: () => string };

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves once it serves; rejects with what it printed when it exits first or does not serve within the deadline. */
export async function startSidecar(options: SidecarOptions = {}): Promise<Sidecar> {
  const { deadlineMs = 15_000 } = options;
  const logs: LogLine[] = [];
  const otherLines: string[] = [];
  const run = launch(options.args ?? [], options);
  eachLine(run.child.stdout, (line) => {
    const parsed = parseLine(line);
    if (parsed === undefined) otherLines.push(line);
    else logs.push(parsed);
  });
  const pid = run.child.pid ?? 0;
  let exit: Exit | undefined;
  void run.exited.then((how) => {
    exit = how;
  });
  const waitForLog = async (wanted: string | ((line: LogLine) => boolean), waitMs = 5000): Promise<LogLine> => {
    const matches = typeof wanted === 'string' ? (line: LogLine) => line.msg === wanted : wanted;
    const what = typeof wanted === 'string' ? `log line "${wanted}"` : `log line that fits ${wanted.toString()}`;
    const look = (): LogLine | 'gone' | undefined => logs.find(matches) ?? (exit === undefined ? undefined : 'gone');
    const found = await eventually(look, { what, deadlineMs: waitMs, everyMs: 5 }).catch((error: unknown) => {
      throw new Error(`${messageOf(error)}\n${printed(run)}`, { cause: error });
    });
    if (found === 'gone') throw new Error(`no ${what}: exited with ${exit?.signal ?? exit?.code}\n${printed(run)}`);
    return found;
  };
  const serving = await waitForLog('serving', deadlineMs).catch((error: unknown) => {
    run.child.kill('SIGKILL');
    throw error;
  });

  return {
    pid,
    port: portOf(serving.listen),
    adminPort: portOf(serving.admin),
    logs,
    otherLines,
    get stderr() {
      return run.stderr();
    },
    exited: run.exited,
    waitForLog,
    kill: (signal) => void run.child.kill(signal),
    stop: (signal = 'SIGTERM', stopMs = 10_000) => stop(run, signal, stopMs),
    rssBytes: () => rssBytes(pid),
  };
}

export type RunOptions = Pick<SidecarOptions, 'env' | 'cwd' | 'node' | 'nodeArgs' | 'deadlineMs'>;

/** Runs the program with these arguments until it exits by itself; rejects, and kills it, at the deadline (15000 ms). */
export async function runToExit(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  const { deadlineMs = 15_000 } = options;
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

function launch(args: readonly string[], options: SidecarOptions): Run {
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build makes it`);
  const node = options.node ?? process.env.TEST_NODE ?? process.execPath;
  const child = spawn(node, [...(options.nodeArgs ?? []), program, ...args], {
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

async function stop(run: Run, signal: NodeJS.Signals, deadlineMs: number): Promise<Exit> {
  run.child.kill(signal);
  const timer = setTimeout(() => run.child.kill('SIGKILL'), deadlineMs);
  const exit = await run.exited;
  clearTimeout(timer);
  return exit;
}

function collect(stream: Readable): () => string {
  const chunks: string[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => chunks.push(chunk));
  return () => chunks.join('');
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}

function parseLine(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

function portOf(address: unknown): number {
  const port = typeof address === 'object' && address !== null && 'port' in address ? address.port : undefined;
  return typeof port === 'number' ? port : 0;
}

function printed(run: Run): string {
  return `stdout:\n${run.stdout().slice(-4000)}\nstderr:\n${run.stderr().slice(-4000)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
