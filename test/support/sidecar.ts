// A sidecar that serves, read from outside: its log lines, its exit, its memory. It says, too, whether the test has asked it
// to end, so that an end of its own is told apart.

import type { Readable } from 'node:stream';
import { type LogLine, parseLine, portOf } from './log-lines.ts';
import { eventually, patienceMs } from './poll.ts';
import { type Exit, launch, type ProgramOptions, printed, type Run, rssBytes } from './program.ts';

export type SidecarOptions = ProgramOptions & {
  /** The command and its options; without a command it serves. */
  args?: readonly string[];
  /** Until the log line `serving`; default 30000. */
  deadlineMs?: number;
};

export interface Sidecar {
  readonly pid: number;
  /** Of the first --listen. */
  readonly port: number;
  /** Of each --listen, in their order. */
  readonly ports: readonly number[];
  /** 0 with `--admin off`. */
  readonly adminPort: number;
  /** Every JSON line of stdout so far. */
  readonly logs: readonly LogLine[];
  /** The lines of stdout that are no JSON object: there should be none. */
  readonly otherLines: readonly string[];
  readonly stderr: string;
  readonly exited: Promise<Exit>;
  /** It was gone before anything here asked it to end. */
  readonly endedByItself: boolean;
  /** The first line, earlier ones included, that the predicate (or its msg) matches. */
  waitForLog(wanted: string | ((line: LogLine) => boolean), deadlineMs?: number): Promise<LogLine>;
  kill(signal: NodeJS.Signals): void;
  /** Sends the signal and waits; SIGKILL after the deadline (30000 ms), which the exit's `signal` then tells. */
  stop(signal?: NodeJS.Signals, deadlineMs?: number): Promise<Exit>;
  /** Like stop, but one that was asked to end already is only waited for: a second signal would cut its drain. */
  end(): Promise<Exit>;
  rssBytes(): number;
}

/** Resolves once it serves; rejects with what it printed when it exits first or does not serve within the deadline. */
export async function startSidecar(options: SidecarOptions = {}): Promise<Sidecar> {
  const run = launch(options.args ?? [], options);
  const { logs, otherLines } = read(run.child.stdout);
  const waitForLog = logWaiter(run, logs);
  const serving = await waitForLog('serving', options.deadlineMs ?? patienceMs).catch((error: unknown) => {
    run.child.kill('SIGKILL');
    throw error;
  });
  const pid = run.child.pid ?? 0;
  const ports = [serving.listen].flat().map(portOf);
  const end = ending(run);
  return {
    pid,
    port: ports[0] ?? 0,
    ports,
    adminPort: portOf(serving.admin),
    logs,
    otherLines,
    get stderr() {
      return run.stderr();
    },
    exited: run.exited,
    waitForLog,
    get endedByItself() {
      return end.byItself();
    },
    kill: end.kill,
    stop: end.stop,
    end: () => (end.isAsked() ? end.wait() : end.stop()),
    rssBytes: () => rssBytes(pid),
  };
}

function logWaiter(run: Run, logs: readonly LogLine[]): Sidecar['waitForLog'] {
  let exit: Exit | undefined;
  void run.exited.then((how) => {
    exit = how;
  });
  return async (wanted, waitMs = patienceMs) => {
    const matches = typeof wanted === 'string' ? (line: LogLine) => line.msg === wanted : wanted;
    const what = typeof wanted === 'string' ? `log line "${wanted}"` : `log line that fits ${wanted.toString()}`;
    const look = (): LogLine | 'gone' | undefined => logs.find(matches) ?? (exit === undefined ? undefined : 'gone');
    const found = await eventually(look, { what, deadlineMs: waitMs, everyMs: 5 }).catch((error: unknown) => {
      throw new Error(`${messageOf(error)}\n${printed(run)}`, { cause: error });
    });
    if (found === 'gone') throw new Error(`no ${what}: exited with ${exit?.signal ?? exit?.code}\n${printed(run)}`);
    return found;
  };
}

// A hangup reloads, SIGSTOP and SIGCONT only hold it up.
const endingSignals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGKILL'];

function ending({ child, exited }: Run) {
  let asked = false;
  let byItself = false;
  void exited.then(() => {
    byItself = !asked;
  });
  const kill = (signal: NodeJS.Signals): void => {
    const isGone = child.exitCode !== null || child.signalCode !== null;
    if (!isGone && endingSignals.includes(signal)) asked = true;
    child.kill(signal);
  };
  const wait = async (deadlineMs = patienceMs): Promise<Exit> => {
    const timer = setTimeout(() => kill('SIGKILL'), deadlineMs);
    const exit = await exited;
    clearTimeout(timer);
    return exit;
  };
  return {
    kill,
    wait,
    isAsked: () => asked,
    byItself: () => byItself,
    stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs?: number) {
      kill(signal);
      return wait(deadlineMs);
    },
  };
}

function read(stdout: Readable): { logs: LogLine[]; otherLines: string[] } {
  const logs: LogLine[] = [];
  const otherLines: string[] = [];
  eachLine(stdout, (line) => {
    const parsed = parseLine(line);
    if (parsed === undefined) otherLines.push(line);
    else logs.push(parsed);
  });
  return { logs, otherLines };
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
