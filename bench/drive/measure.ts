// Reads what a process tree has used: CPU time from the processes' CPU clocks, memory and cores from /proc.
// The clocks are read by `load clock` in nanoseconds; /proc/PID/stat, in ticks of 10 ms, is read beside it as a check.
import { readdirSync, readFileSync } from 'node:fs';
import type { Processes, Running } from './processes.ts';

export interface CpuClock {
  /** CPU nanoseconds that the tree of this process has used until now. */
  read(rootPid: number): Promise<number>;
}

export function createCpuClock(processes: Processes, loadProgram: string, core: number): CpuClock {
  const clock: Running = processes.start('cpu clock', [loadProgram, 'clock'], { core });
  return {
    async read(rootPid) {
      clock.write(processTree(rootPid).join(' '));
      return Number(await clock.nextLine(5000));
    },
  };
}

/** The process and its descendants, as they are now. */
export function processTree(rootPid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statFields(Number(entry))[1]);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [Number(entry)]);
    else siblings.push(Number(entry));
  }
  const tree = [rootPid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] ?? 0) ?? []));
  return tree;
}

/** The same as the clock, in ticks of 10 ms: utime and stime of /proc/PID/stat. */
export function cpuTicks(rootPid: number): number {
  return processTree(rootPid)
    .map((pid) => statFields(pid))
    .reduce((sum, fields) => sum + Number(fields[11] ?? 0) + Number(fields[12] ?? 0), 0);
}

/** In KiB. What a process shares with others are pages of files: programs and libraries, once for all on a machine. */
export type Memory = { readonly own: number; readonly shared: number };

/** Of the tree; pages that its processes share with each other are counted in each of them. */
export function memoryKib(rootPid: number): Memory {
  const statuses = processTree(rootPid).map((pid) => readProc(`/proc/${pid}/status`));
  const sum = (field: string): number =>
    statuses
      .map((status) => new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1])
      .reduce((total, kib) => total + Number(kib ?? 0), 0);
  return { own: sum('RssAnon'), shared: sum('RssFile') + sum('RssShmem') };
}

export type CoreTime = { readonly busy: number; readonly total: number };

/** Ticks that a core has spent, for all its processes and the host's theft. */
export function coreTime(core: number): CoreTime {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readProc('/proc/stat'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, hard = 0, soft = 0, steal = 0] = line
    .trim()
    .split(' ')
    .map(Number);
  const busy = user + nice + system + hard + soft + steal;
  return { busy, total: busy + idle + wait };
}

/** Fields of /proc/PID/stat from the state on (the name before it may hold spaces); none when the process is gone. */
function statFields(pid: number): string[] {
  const text = readProc(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
