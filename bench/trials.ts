// The ways of measuring: a trial measures one lane once. bench.ts repeats it in rounds over all lanes.
import { setTimeout as wait } from 'node:timers/promises';
import type { LaneFacts } from './drive/check.ts';
import { grpcMessage, grpcPath } from './drive/grpc.ts';
import { type Http2Load, hasH2load, runHttp2, runHttp2Rate } from './drive/h2load.ts';
import { type LoadArgs, type LoadResult, runLoad, type Usage } from './drive/load.ts';
import { type Memory, memoryKib } from './drive/measure.ts';
import { openMsOf, type RunningLane, type Site, startLane } from './drive/site.ts';
import type { Sample, Skipped } from './report/results.ts';

export type Trial = (site: Site, target: RunningLane, facts: LaneFacts) => Promise<Sample | Skipped>;

const connections = 32;
const largestPool = 256;
const idleConnections = 2000;
const bulkBytes = 1 << 30;
/** After a load, until the memory that comes back has come back. */
const laterMs = 30_000;
const starts = 5;
/** Runtimes with a compiler need ten to twenty thousand requests before a request costs what it costs from then on, and fewer
 * again after a pause, in which they may have dropped what was compiled: each row, and each turn, begins with these. */
const warmSeconds = 2.5;
/** At half load, which follows the full one at once. */
const stillWarmSeconds = 0.5;
/** Half of the capacity is offered, but no more than one core can pace and the app on the same core answer at leisure. */
const mostOffered = 12_000;
/** Above this the latencies are the generator's own. */
const busyGenerator = 0.9;

export function keepAlive(load: LoadArgs): Trial {
  return async (site, target) => {
    const args = { ...load, conns: connections, seconds: site.options.seconds, warm: warmSeconds };
    const full = await runLoad(site, target, { mode: 'closed', args });
    const ownMib = ownMibOf(target);
    const capacity = full.result.requests / full.result.seconds;
    const offered = Math.min(capacity / 2, mostOffered);
    const half = await runLoad(site, target, { mode: 'rate', args: { ...args, warm: stillWarmSeconds, rps: offered } });
    return {
      tls: full.result.tls,
      warnings: [...full.usage.warnings, ...half.usage.warnings, ...pacing(half.usage)].concat(
        pooling(target, full.usage, full.result.requests),
      ),
      values: {
        ...perRequest(full),
        ownMib,
        offered,
        halfCpuUs: half.usage.cpuNs / 1e3 / half.result.requests,
        p50Ms: half.result.p50Us / 1e3,
        p99Ms: half.result.p99Us / 1e3,
      },
    };
  };
}

/** Keep-alive to the app, asserted by counting: a reverse proxy may fill its pool, no more. */
function pooling({ lane }: RunningLane, { dialled }: Usage, requests: number): string[] {
  if (lane.kind !== 'http' || dialled <= Math.max(largestPool, requests / 1000)) return [];
  return ['keep-alive to the app did not hold, see its connections'];
}

function pacing({ loadCoreBusy }: Usage): string[] {
  if (loadCoreBusy <= busyGenerator) return [];
  return ["the generator's core was over 90 % busy at half load: p50 and p99 are partly the generator's"];
}

function perRequest({ result, usage }: { result: LoadResult; usage: Usage }) {
  return {
    cpuUs: usage.cpuNs / 1e3 / result.requests,
    rps: result.requests / result.seconds,
    busyPercent: (usage.cpuNs / usage.wallNs) * 100,
    dialled: usage.dialled,
  };
}

export function http2(load: Http2Load): Trial {
  return async (site, target, facts) => {
    if (!facts.http2) return { skipped: 'no h2' };
    return measureHttp2(site, target, load);
  };
}

/** Calls whose answer has so many messages of 100 bytes. */
export function grpc(messages: number): Trial {
  const load: Http2Load = {
    path: grpcPath,
    connections: 10,
    streams: 20,
    expect: messages * (100 + 5),
    body: { name: `grpc-${messages}`, bytes: grpcMessage(messages, 100) },
    fields: ['content-type: application/grpc', 'te: trailers'],
  };
  return async (site, target, facts) => {
    if (facts.noGrpc !== undefined) return { skipped: facts.noGrpc };
    return measureHttp2(site, target, load);
  };
}

async function measureHttp2(site: Site, target: RunningLane, load: Http2Load): Promise<Sample | Skipped> {
  if (!hasH2load()) return { skipped: 'h2load is not installed' };
  const { seconds } = site.options;
  const full = await runHttp2(site, target, load, seconds);
  const ownMib = ownMibOf(target);
  const offered = Math.min(full.rps / 2, mostOffered);
  const half = await runHttp2Rate(site, target, { ...load, rps: offered, seconds });
  return {
    tls: full.tls,
    warnings: [...full.usage.warnings, ...pacing(half.usage), ...pooling(target, full.usage, full.requests)],
    values: {
      offered,
      ownMib,
      cpuUs: full.usage.cpuNs / 1e3 / full.requests,
      rps: full.rps,
      busyPercent: (full.usage.cpuNs / full.usage.wallNs) * 100,
      dialled: full.usage.dialled,
      halfCpuUs: half.usage.cpuNs / 1e3 / half.requests,
      p50Ms: half.p50Us / 1e3,
      p99Ms: half.p99Us / 1e3,
    },
  };
}

export function connect(resume: boolean): Trial {
  return async (site, target) => {
    if (resume && target.lane.kind === 'app') return { skipped: 'no TLS' };
    const args = { conns: 16, resume, seconds: site.options.seconds, warm: warmSeconds };
    const measured = await runLoad(site, target, { mode: 'connect', args });
    const resumedPart = measured.result.resumed / measured.result.requests;
    if (resume && resumedPart < 0.99) return { skipped: `only ${(resumedPart * 100).toFixed(0)} % resumed` };
    const { result, usage } = measured;
    const warnings = [...usage.warnings, ...pooling(target, usage, result.requests)];
    return { tls: result.tls, warnings, values: { ...perRequest(measured), ownMib: ownMibOf(target) } };
  };
}

export async function bulk(site: Site, target: RunningLane): Promise<Sample> {
  const args = { path: `/bytes/${bulkBytes}`, expect: bulkBytes, conns: 1, warm: 0.1, seconds: site.options.seconds };
  const { result, usage } = await runLoad(site, target, { mode: 'closed', args });
  return {
    tls: result.tls,
    warnings: usage.warnings,
    values: {
      mbPerCpuS: result.bytes / 1e6 / (usage.cpuNs / 1e9),
      mbPerS: result.bytes / 1e6 / result.seconds,
      busyPercent: (usage.cpuNs / usage.wallNs) * 100,
      ownMib: ownMibOf(target),
    },
  };
}

function ownMibOf({ running }: RunningLane): number {
  return memoryKib(running.pid).own / 1024;
}

/** Idle connections of HTTP/2, each used once. */
export async function http2Memory(site: Site, target: RunningLane, facts: LaneFacts): Promise<Sample | Skipped> {
  if (!facts.http2) return { skipped: 'no h2' };
  return onFreshProcess(site, target, async (fresh) => ({ values: await holdIdle(site, fresh, true) }));
}

export async function memory(site: Site, target: RunningLane): Promise<Sample> {
  return onFreshProcess(site, target, async (fresh) => {
    const idle = await holdIdle(site, fresh, false);
    const args = { path: '/bytes/16384', conns: connections, seconds: site.options.seconds };
    await runLoad(site, fresh, { mode: 'closed', args });
    await wait(1000);
    const afterOwnMib = ownMibOf(fresh);
    await wait(laterMs - 1000);
    return { values: { ...idle, afterOwnMib, laterOwnMib: ownMibOf(fresh) } };
  });
}

/** The median of a few starts: until the port is open, and until the first answer; beside the runtime with nothing to do. */
export async function start(site: Site, target: RunningLane): Promise<Sample> {
  const open: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < starts; i++) {
    const { openMs, bareMs } = await openMsOf(site, target.lane);
    open.push(openMs);
    if (bareMs !== undefined) bare.push(bareMs);
  }
  const openMs = middle(open);
  const ofBare = bare.length === 0 ? {} : { bareMs: middle(bare), timesBare: openMs / middle(bare) };
  return onFreshProcess(site, target, async ({ startMs }) => ({ values: { openMs, ...ofBare, startMs } }));
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** So that what earlier rows left behind does not count. */
async function onFreshProcess(
  site: Site,
  { lane }: RunningLane,
  measure: (fresh: RunningLane) => Promise<Sample>,
): Promise<Sample> {
  const fresh = await startLane(site, lane);
  try {
    return await measure(fresh);
  } finally {
    await site.processes.stop(fresh.running);
  }
}

/** Memory before, when what the start left has been given back, and what of its own it takes for each connection held. */
async function holdIdle(site: Site, fresh: RunningLane, http2: boolean) {
  await wait(5000);
  const idle = memoryKib(fresh.running.pid);
  let held: Memory = idle;
  const hold = async () => {
    await wait(1000);
    held = memoryKib(fresh.running.pid);
  };
  const { result } = await runLoad(site, fresh, { mode: 'idle', args: { conns: idleConnections, http2 }, held: hold });
  if (result.alive !== idleConnections)
    throw new Error(`only ${result.alive} of ${idleConnections} idle connections held`);
  return {
    idleOwnMib: idle.own / 1024,
    idleSharedMib: idle.shared / 1024,
    idleMib: (idle.own + idle.shared) / 1024,
    perConnectionKib: (held.own - idle.own) / idleConnections,
  };
}
