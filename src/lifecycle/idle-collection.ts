// When the memory of a busy time is given back. V8 collects when something is allocated, and judges a server that waits for
// requests never idle, so that after a load its garbage and its pools would stay. After some quiet seconds that follow a busy
// one (the start counts), spare buffers are given back and everything is collected once. Never while there is work, and not in
// the pauses of a load: a collection takes optimized code with it, and the next ten thousand requests cost up to twice as much.

import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { giveBackSpares } from '../net/spares.ts';

export type IdleCollection = {
  /** Part of the time since it was last asked in which the event loop had work, 0 to 1. */
  readonly load: () => number;
  readonly collect: () => void;
};

const LOOK_MS = 1000;
/** A quiet second: the timers of the program and a probe of the kubelet now and then. */
const QUIET_LOAD = 0.02;
/** A second that leaves something worth a collection. */
const BUSY_LOAD = 0.1;
/** After the start, which leaves no optimized code; and later. */
export const FIRST_QUIET_LOOKS = 3;
export const QUIET_LOOKS = 15;
/** Above it, as with 6,000 connections open, the pause would be too long for whoever comes in it. */
const MOST_TENURED_BYTES = 48 << 20;
/** The first whose gc() takes the flavour that shrinks the heap; a plain collection gives nothing back to the system, so that older ones
 * are left to collect the spare buffers by themselves. */
const FIRST_NODE = 22;

/** Starts to look, every second until the returned function is called; keeps no process alive. */
export function collectWhenIdle(): () => void {
  const collects = Number.parseInt(process.versions.node, 10) >= FIRST_NODE;
  const look = idleLook({ load: loopLoad(), collect: collects ? collectEverything : giveBackSpares });
  const timer = setInterval(look, LOOK_MS).unref();
  return () => clearInterval(timer);
}

/** What is done once a second. */
export function idleLook({ load, collect }: IdleCollection): () => void {
  let wasBusy = true;
  let quietLooks = 0;
  let wanted = FIRST_QUIET_LOOKS;
  return () => {
    const now = load();
    if (now >= BUSY_LOAD) wasBusy = true;
    quietLooks = now < QUIET_LOAD ? quietLooks + 1 : 0;
    if (!wasBusy || quietLooks < wanted) return;
    wasBusy = false;
    quietLooks = 0;
    wanted = QUIET_LOOKS;
    collect();
    // The collection itself is not a busy time.
    load();
  };
}

function loopLoad(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** A pause of 40 to 60 ms, and of 100 with 2,000 connections open. */
function collectEverything(): void {
  giveBackSpares();
  if (tenuredBytes() > MOST_TENURED_BYTES) return;
  // The flag makes a new context have gc().
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** What the pause grows with: the heap without its young generation, of which a load leaves little but garbage. */
function tenuredBytes(): number {
  const tenured = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.startsWith('new_'));
  return tenured.reduce((bytes, space) => bytes + space.space_used_size, 0);
}
