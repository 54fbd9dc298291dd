// Drives nghttp2's h2load for the HTTP/2 and gRPC rows.
// Its latency counts from when a request was sent, not from when it was due: under stalls it flatters (all lanes alike).
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beginUsage, type Usage } from './load.ts';
import type { RunningLane, Site } from './site.ts';
import { findProgram } from './workshop.ts';

const longestMs = 120_000;

export type Http2Load = {
  readonly path: string;
  /** Bytes that the body of every answer must have. */
  readonly expect: number;
  readonly connections: number;
  /** At once on each connection. */
  readonly streams: number;
  /** What is sent, in the workshop. */
  readonly body?: { readonly name: string; readonly bytes: Buffer };
  readonly fields?: readonly string[];
};
export type Http2Result = {
  readonly requests: number;
  readonly rps: number;
  readonly tls: string;
  readonly usage: Usage;
};

export function hasH2load(): boolean {
  return findProgram('h2load') !== undefined;
}

/** Runtimes with a compiler are slower before it has done its work: a request of HTTP/2 runs through more code than one of
 * HTTP/1.1, and the first 40,000 cost Node twice as much as those that follow. */
const warmRequests = 60_000;

/** As fast as the lane can for about `seconds`; the handshakes of its connections are in the CPU time. */
export async function runHttp2(
  site: Site,
  target: RunningLane,
  load: Http2Load,
  seconds: number,
): Promise<Http2Result> {
  const count = (requests: number) => ['-n', String(atLeast(load, requests))];
  const trial = await h2load(site, target, load, count(400));
  const warm = await h2load(site, target, load, count(Math.min(warmRequests, trial.rps * 4)));
  return h2load(site, target, load, count(warm.rps * seconds));
}

/** A constant rate; latencies in microseconds. */
export async function runHttp2Rate(
  site: Site,
  target: RunningLane,
  load: Http2Load & { readonly rps: number; readonly seconds: number },
): Promise<{ p50Us: number; p99Us: number; requests: number; usage: Usage }> {
  const log = join(site.workshop.folder, 'h2load.log');
  rmSync(log, { force: true });
  const perClient = (load.rps / load.connections).toFixed(3);
  const count = String(atLeast(load, load.rps * load.seconds));
  const { usage, requests } = await h2load(site, target, load, ['-n', count, '--rps', perClient, '--log-file', log]);
  const latencies = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split('\t')[2]))
    .sort((a, b) => a - b);
  const at = (part: number) => latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
  return { p50Us: at(0.5), p99Us: at(0.99), requests, usage };
}

async function h2load(site: Site, target: RunningLane, load: Http2Load, args: string[]): Promise<Http2Result> {
  const argv = ['h2load', '-c', String(load.connections), '-m', String(load.streams), ...args];
  if (load.body !== undefined) {
    const file = join(site.workshop.folder, load.body.name);
    writeFileSync(file, load.body.bytes);
    argv.push('-d', file);
  }
  for (const field of load.fields ?? []) argv.push('-H', field);
  const scheme = target.lane.kind === 'app' ? 'http' : 'https'; // to the app in clear text, with prior knowledge
  argv.push(`${scheme}://127.0.0.1:${target.port}${load.path}`);
  const finish = await beginUsage(site, target);
  const generator = site.processes.start('h2load', argv, { core: site.options.cores.load });
  const stdout = await generator.rest(longestMs);
  const usage = await finish();
  await site.processes.stop(generator);
  const [, total, succeeded] = /requests: (\d+) total.* (\d+) succeeded/.exec(stdout) ?? [];
  const [, unit, rps] = /finished in [\d.]+(us|ms|s|min|h)[^,]*, ([\d.]+) req\/s/.exec(stdout) ?? [];
  const requests = Number(succeeded);
  if (unit === undefined || !(requests > 0) || requests !== Number(total)) {
    throw new Error(`h2load: ${succeeded ?? 'none'} of ${total ?? '?'} requests succeeded: ${stdout.slice(-600)}`);
  }
  const bytes = Number(/\((\d+)\) data/.exec(stdout)?.[1]);
  if (bytes !== requests * load.expect) {
    throw new Error(`h2load: ${bytes} bytes in ${requests} answers, not ${load.expect} in each`);
  }
  const cipher = /Cipher: (\S+)/.exec(stdout)?.[1] ?? '?';
  const version = /TLS Protocol: (\S+)/.exec(stdout)?.[1] ?? '?';
  const tls = scheme === 'http' ? 'none' : `${version} ${cipher}`;
  return { requests, rps: Number(rps), tls, usage };
}

function atLeast({ connections, streams }: Http2Load, count: number): number {
  return Math.max(connections * streams, Math.round(count));
}
