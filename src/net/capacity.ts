// How many client connections this process can hold: what its memory and its open files allow. The one place that asks
// the system for its limits, at start only.

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

export type SystemLimits = {
  /** Of the cgroup, else of the machine. */
  readonly memoryBytes: number;
  /** Infinity where the system does not say. */
  readonly openFiles: number;
};

export type Capacity = { readonly connections: number; readonly boundBy: 'memory' | 'files' };

/** What the process takes without any client (70 to 85 MiB), with room for the garbage of a busy moment. */
const BASE_BYTES = 96 << 20;
/**
 * Of one connection. Idle it takes 28 to 42 KiB in HTTP/1.1 and 54 to 65 in HTTP/2 (the growth of the resident set with
 * 2,000 of each, Node 20 and 24); as much again for what is in flight, and for the kernel's buffers, which count, too.
 */
const CONNECTION_BYTES = 128 << 10;
/** Its own socket, and one to the app. */
const CONNECTION_FILES = 2;
/** Listeners, certificates, the log, the admin server and its probes. */
const OTHER_FILES = 64;
/** Below this a sidecar is of no use; a process with less will fail in plain sight. */
const LEAST = 64;

/** What --max-connections comes to. */
export function maxConnectionsOf(option: number | 'auto'): number {
  return option === 'auto' ? capacityOf(readSystemLimits()).connections : option;
}

export function capacityOf({ memoryBytes, openFiles }: SystemLimits): Capacity {
  const byMemory = Math.floor((memoryBytes - BASE_BYTES) / CONNECTION_BYTES);
  const byFiles = Math.floor((openFiles - OTHER_FILES) / CONNECTION_FILES);
  const boundBy = byFiles < byMemory ? 'files' : 'memory';
  return { connections: Math.max(LEAST, Math.min(byMemory, byFiles)), boundBy };
}

export function readSystemLimits(): SystemLimits {
  // Node reads memory.max of cgroup v2, and what v1 had for it; without a limit it gives 0, undefined or 2^64.
  const ofGroup = process.constrainedMemory?.() ?? 0;
  const ofMachine = totalmem();
  const memoryBytes = ofGroup > 0 && ofGroup < ofMachine ? ofGroup : ofMachine;
  return { memoryBytes, openFiles: openFiles() };
}

/** The soft limit; Node has raised it to the hard one when this is read. */
function openFiles(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
