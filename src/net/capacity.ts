// How many connections this process can hold, to clients and to the app: what its memory and its open files allow. The one
// place that asks the system for its limits, at start only.

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

export type SystemLimits = {
  /** Of the cgroup, else of the machine. */
  readonly memoryBytes: number;
  /** Infinity where the system does not say. */
  readonly openFiles: number;
};

/** What the configuration asks for. */
export type Demand = {
  readonly maxConnections: number | 'auto';
  /** Connections of HTTP/1.1 to the app, in each pool. */
  readonly upstreamMaxConnections: number;
  /** How many pools of them there are. */
  readonly upstreamPools: number;
  /** Sessions of HTTP/2 to the app, in each pool of them; never more than upstreamMaxConnections. */
  readonly upstreamSessions: number;
  /** How many pools of sessions there are. */
  readonly sessionPools: number;
};

export type Capacity = {
  /** What --max-connections comes to. */
  readonly connections: number;
  /** What auto comes to, or would. */
  readonly automatic: number;
  /** What --upstream-max-connections comes to. */
  readonly upstreamConnections: number;
  /** What may be held for clients beyond the least of each connection. */
  readonly heldBytes: number;
  /** What bounds `automatic`. */
  readonly boundBy: 'memory' | 'files';
};

/** What the process takes without any client (62 MiB), with room for the garbage of a busy moment. */
const BASE_BYTES = 96 << 20;
/**
 * Of one connection. Idle it takes 37 to 48 KiB in HTTP/1.1 and 41 to 80 in HTTP/2 (growth with 2,000 of each, Node 20 and
 * 24), but 66 after an answer of 16 KiB and 124 after one of 1 MiB, because Node keeps the buffers of TLS as large as they
 * once were until the connection closes; the rest is for the kernel's buffers, which count, too. It may hold its first window
 * (HTTP/2: 64 KiB) or one read whatever others hold; what it holds beyond that is taken from the part for all.
 */
const CONNECTION_BYTES = 160 << 10;
/** Of the memory beyond the base, for bytes that wait for somebody; no more where there is plenty. */
const HELD_PART = 1 / 4;
const LEAST_HELD_BYTES = 8 << 20;
const MOST_HELD_BYTES = 512 << 20;
/** Kept back for listeners, certificates, the log, the admin server and its probes. */
const OTHER_FILES = 64;
/** Fewer are of no use; a process whose limits allow less will fail in plain sight. */
const MIN_CONNECTIONS = 64;

/**
 * Clients and the app share the files that are left after the reserve, so that neither can take the other's. The app gets
 * what is asked for, up to a half or what the clients leave, whichever is more; the clients get the rest. Memory bounds
 * `auto` only, being an estimate.
 */
export function capacityOf({ memoryBytes, openFiles }: SystemLimits, demand: Demand): Capacity {
  const { maxConnections } = demand;
  const files = Math.max(0, openFiles - OTHER_FILES);
  const beyondBase = memoryBytes - BASE_BYTES;
  const heldBytes = Math.floor(Math.min(MOST_HELD_BYTES, Math.max(LEAST_HELD_BYTES, beyondBase * HELD_PART)));
  const byMemory = Math.max(MIN_CONNECTIONS, Math.floor((beyondBase - heldBytes) / CONNECTION_BYTES));
  const wanted = maxConnections === 'auto' ? byMemory : maxConnections;
  const upstreamConnections = upstreamWithin(Math.max(Math.floor(files / 2), files - wanted), demand);
  const byFiles = Math.max(MIN_CONNECTIONS, files - upstreamFiles(upstreamConnections, demand));
  return {
    connections: Math.min(wanted, byFiles),
    automatic: Math.min(byMemory, byFiles),
    upstreamConnections,
    heldBytes,
    boundBy: byFiles < byMemory ? 'files' : 'memory',
  };
}

function upstreamFiles(connections: number, { upstreamPools, upstreamSessions, sessionPools }: Demand): number {
  return connections * upstreamPools + Math.min(connections, upstreamSessions) * sessionPools;
}

/** The most connections, up to what is asked for, whose files are no more than `files`; at least one. */
function upstreamWithin(files: number, demand: Demand): number {
  const { upstreamMaxConnections: asked, upstreamPools, upstreamSessions, sessionPools } = demand;
  if (upstreamFiles(asked, demand) <= files) return asked;
  const pools = upstreamPools + sessionPools;
  const everySessionFits = files >= pools * upstreamSessions;
  const most = everySessionFits ? (files - upstreamSessions * sessionPools) / upstreamPools : files / pools;
  return Math.max(1, Math.floor(most));
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
