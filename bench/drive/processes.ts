// Starts programs pinned to a core and ends them. Each gets a process group of its own, so that ending one ends its
// workers; only groups that were started here are ever signalled.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

export interface Running {
  readonly name: string;
  readonly pid: number;
  /** The next line of its stdout; rejects when it ends first or the time is over. */
  nextLine(timeoutMs: number): Promise<string>;
  /** All of its stdout that was not read yet, once it has ended. */
  rest(timeoutMs: number): Promise<string>;
  write(line: string): void;
  hasEnded(): boolean;
  /** What it said on stderr of late, in one line, for messages. */
  lastWords(): string;
}

export type StartOptions = { readonly core: number; readonly env?: NodeJS.ProcessEnv };

export interface Processes {
  start(name: string, argv: readonly string[], options: StartOptions): Running;
  stop(running: Running): Promise<void>;
  stopAll(): Promise<void>;
  /** For the last moment: no waiting, no mercy. */
  killAll(): void;
}

const stderrKept = 4000;

export function createProcesses(): Processes {
  const alive = new Map<number, Running>();

  const stop = async (running: Running): Promise<void> => {
    if (!alive.delete(running.pid)) return;
    signalGroup(running.pid, 'SIGTERM');
    for (let waited = 0; waited < 3000 && signalGroup(running.pid, 0); waited += 20) await wait(20);
    signalGroup(running.pid, 'SIGKILL');
  };

  return {
    start(name, argv, options) {
      const child = spawn('taskset', ['-c', String(options.core), ...argv], {
        detached: true, // a group of its own
        stdio: ['pipe', 'pipe', 'pipe'],
        env: options.env ?? process.env,
      });
      if (child.pid === undefined) throw new Error(`${name}: taskset could not be started`);
      const running = createRunning(name, child.pid, child);
      alive.set(running.pid, running);
      return running;
    },
    stop,
    async stopAll() {
      await Promise.all([...alive.values()].map(stop));
    },
    killAll() {
      for (const pid of alive.keys()) signalGroup(pid, 'SIGKILL');
      alive.clear();
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false; // nobody left
  }
}

type PipedChild = ChildProcess & Required<Pick<ChildProcess, 'stdin' | 'stdout' | 'stderr'>>;

function createRunning(name: string, pid: number, child: ChildProcess): Running {
  const { stdin, stdout, stderr } = child as PipedChild;
  const lines: string[] = [];
  let ended = false;
  let words = '';
  let wake: (() => void) | undefined;
  const lastWords = () => words.trim().split('\n', 8).join(' | ').slice(0, 400);
  createInterface({ input: stdout as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(line);
    wake?.();
  });
  stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-stderrKept);
  });
  stdin?.on('error', () => {}); // it has ended: nextLine says so
  child.on('error', () => {});
  child.on('close', () => {
    ended = true;
    wake?.();
  });
  const news = (deadline: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} is late: ${lastWords()}`)), deadline - Date.now());
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  return {
    name,
    pid,
    async nextLine(timeoutMs) {
      for (const deadline = Date.now() + timeoutMs; ; await news(deadline)) {
        const line = lines.shift();
        if (line !== undefined) return line;
        if (ended) throw new Error(`${name} ended: ${lastWords() || 'without a word'}`);
      }
    },
    async rest(timeoutMs) {
      for (const deadline = Date.now() + timeoutMs; !ended; ) await news(deadline);
      return lines.splice(0).join('\n');
    },
    write: (line) => void stdin?.write(`${line}\n`),
    hasEnded: () => ended,
    lastWords,
  };
}
