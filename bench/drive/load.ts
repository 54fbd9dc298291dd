// Drives the generators against one lane and takes the lane's CPU time around exactly the requests that are counted.
import { acceptedConnections } from './check.ts';
import { type CoreTime, coreTime, cpuTicks } from './measure.ts';
import type { RunningLane, Site } from './site.ts';

/** What bench/peers/load says; see its main.go. */
export type LoadResult = {
  readonly requests: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly resumed: number;
  readonly alive: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly tls: string;
};

export type Usage = {
  /** CPU nanoseconds of the lane's process tree. */
  readonly cpuNs: number;
  readonly wallNs: number;
  /** Share of the time that the generator's core was not idle, whoever used it: 0 to 1. */
  readonly loadCoreBusy: number;
  /** Connections that the app accepted in the meantime. */
  readonly dialled: number;
  /** What casts doubt on the figures. */
  readonly warnings: readonly string[];
};

export type LoadMode = 'closed' | 'rate' | 'connect' | 'idle';
export type LoadArgs = Readonly<Record<string, string | number | boolean>>;

const longestMs = 120_000;

/** Runs `load MODE`. `held` runs after the warm-up (for `idle`: while the connections are open), before the measurement. */
export async function runLoad(
  site: Site,
  target: RunningLane,
  load: { readonly mode: LoadMode; readonly args: LoadArgs; readonly held?: () => Promise<void> },
): Promise<{ result: LoadResult; usage: Usage }> {
  const flags = Object.entries(load.args).map(([name, value]) => `-${name}=${value}`);
  flags.push(`-addr=127.0.0.1:${target.port}`, `-plain=${target.lane.kind === 'app'}`);
  const argv = [site.workshop.programs.load, load.mode, ...flags];
  const generator = site.processes.start('load', argv, { core: site.options.cores.load });
  try {
    const ready = await generator.nextLine(longestMs);
    if (ready !== 'ready') throw new Error(`load said "${ready}" instead of ready`);
    await load.held?.();
    const finish = await beginUsage(site, target);
    generator.write('go');
    const result = JSON.parse(await generator.nextLine(longestMs)) as LoadResult;
    const usage = await finish();
    const tolerated = result.requests / 1000;
    if (result.errors > tolerated) {
      throw new Error(`${result.errors} of ${result.requests + result.errors} requests failed: ${result.firstError}`);
    }
    return { result, usage };
  } finally {
    await site.processes.stop(generator);
  }
}

/** Starts to count; the returned function ends it. */
export async function beginUsage(site: Site, target: RunningLane): Promise<() => Promise<Usage>> {
  const { cores } = site.options;
  const pid = target.running.pid;
  const accepted = await acceptedConnections(site);
  const peer = coreTime(cores.peer);
  const load = coreTime(cores.load);
  const ticks = cpuTicks(pid);
  const cpu = await site.clock.read(pid);
  const begin = performance.now();
  return async () => {
    const wallNs = (performance.now() - begin) * 1e6;
    const cpuNs = (await site.clock.read(pid)) - cpu;
    const tickNs = (cpuTicks(pid) - ticks) * 1e7;
    const warnings: string[] = [];
    if (Math.abs(cpuNs - tickNs) > 0.05 * cpuNs + 5e7) warnings.push('CPU clock and /proc/PID/stat disagree');
    const peerCoreBusy = share(peer, coreTime(cores.peer));
    if (peerCoreBusy - cpuNs / wallNs > 0.1) warnings.push('something else used more than 10 % of the core');
    return {
      cpuNs,
      wallNs,
      loadCoreBusy: share(load, coreTime(cores.load)),
      dialled: (await acceptedConnections(site)) - accepted - 1,
      warnings,
    };
  };
}

function share(from: CoreTime, to: CoreTime): number {
  return (to.busy - from.busy) / Math.max(1, to.total - from.total);
}
