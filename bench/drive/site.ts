// The site of a run: the app, the CPU clock, and lanes that are running. Everything is given to the rows from here.
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Lane } from '../lanes.ts';
import type { Options } from '../options.ts';
import { type CpuClock, createCpuClock } from './measure.ts';
import type { Processes, Running } from './processes.ts';
import { freePort, type Workshop } from './workshop.ts';

export type Site = {
  readonly options: Options;
  readonly workshop: Workshop;
  readonly processes: Processes;
  readonly clock: CpuClock;
  readonly appPort: number;
};

export type RunningLane = {
  readonly lane: Lane;
  readonly port: number;
  readonly running: Running;
  /** From the start of the program to its first answer. */
  readonly startMs: number;
};

const longestStartMs = 15_000;

export async function openSite(options: Options, workshop: Workshop, processes: Processes): Promise<Site> {
  const clock = createCpuClock(processes, workshop.programs.load, options.cores.load);
  const appPort = await freePort();
  const argv = [workshop.programs.app, '-listen', `127.0.0.1:${appPort}`, '-file', workshop.file];
  const app = processes.start('app', argv, {
    core: options.cores.app,
    env: { ...process.env, GOMAXPROCS: '1' },
  });
  await firstAnswer(app, appPort, false);
  return { options, workshop, processes, clock, appPort };
}

export async function startLane(site: Site, lane: Lane): Promise<RunningLane> {
  const port = await freePort();
  const argv = lane.command(port, site.appPort);
  const begin = performance.now();
  const running = site.processes.start(lane.name, argv, { core: site.options.cores.peer, env: lane.env });
  try {
    await firstAnswer(running, port, lane.kind !== 'app');
  } catch (error) {
    await site.processes.stop(running);
    throw error;
  }
  return { lane, port, running, startMs: performance.now() - begin };
}

/** One start until the TCP port is open, and how long the bare runtime of the lane takes to start and end. */
export async function openMsOf(site: Site, lane: Lane): Promise<{ openMs: number; bareMs: number | undefined }> {
  const core = site.options.cores.peer;
  const port = await freePort();
  const begin = performance.now();
  const running = site.processes.start(lane.name, lane.command(port, site.appPort), { core, env: lane.env });
  while (!(await isOpen(port))) {
    if (running.hasEnded() || performance.now() - begin > longestStartMs)
      throw new Error(`${lane.name} opened no port: ${running.lastWords()}`);
    await wait(1);
  }
  const openMs = performance.now() - begin;
  await site.processes.stop(running);
  if (lane.bare === undefined) return { openMs, bareMs: undefined };
  const bareBegin = performance.now();
  const bare = site.processes.start(`${lane.name}, bare`, lane.bare, { core, env: lane.env });
  await bare.rest(longestStartMs);
  const bareMs = performance.now() - bareBegin;
  await site.processes.stop(bare);
  return { openMs, bareMs };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port }, () => resolve(true));
    socket.on('connect', () => socket.destroy());
    socket.on('error', () => resolve(false));
  });
}

/** Asks every 2 ms until the first 200. */
async function firstAnswer(running: Running, port: number, secure: boolean): Promise<void> {
  const deadline = performance.now() + longestStartMs;
  while (performance.now() < deadline) {
    if (running.hasEnded()) throw new Error(`${running.name} ended at start: ${running.lastWords()}`);
    if (await isServed(port, secure)) return;
    await wait(2);
  }
  throw new Error(`${running.name} served nothing within ${longestStartMs} ms: ${running.lastWords()}`);
}

function isServed(port: number, secure: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const host = '127.0.0.1';
    const ask = () => socket.write('GET /bytes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const socket: Socket = secure
      ? connectTls({ host, port, servername: 'localhost', rejectUnauthorized: false }, ask)
      : connectTcp({ host, port }, ask);
    const end = (served: boolean) => {
      socket.destroy();
      resolve(served);
    };
    socket.setTimeout(2000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (chunk) => end(chunk.toString('latin1').startsWith('HTTP/1.1 200')));
  });
}
