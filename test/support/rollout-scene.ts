// A service of two replicas under load behind a balancer, and how one is replaced by another: for the quick test of rollouts
// and the long one.

import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually } from './poll.ts';
import { answers, type Balancer, type Crowd, startBalancer, startCrowd } from './rollout.ts';
import type { Sidecar } from './sidecar.ts';
import { type Stage, setStage } from './stage.ts';

const answerSlowly: RequestListener = (_request, response) => {
  const kind = Math.random();
  if (kind < 0.6) return void response.end(answers.whole);
  if (kind < 0.8) return void setTimeout(() => response.end(answers.whole), 60);
  response.write(answers.first);
  setTimeout(() => response.end(answers.rest), 60);
};

export async function openApp(): Promise<{ server: Server; port: number }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, answerSlowly);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

type Scene = { stage: Stage; balancer: Balancer; crowd: () => Crowd };

export async function setScene(t: TestContext, h1 = 8, h2 = 4): Promise<Scene> {
  const stage = await setStage(t);
  const balancer = await startBalancer();
  t.after(() => balancer.close());
  const ca = stage.authority.pem;
  const crowd = (): Crowd => {
    const begun = startCrowd({ port: balancer.port, ca, h1, h2, pauseMs: 160 });
    t.after(begun.stop);
    return begun;
  };
  return { stage, balancer, crowd };
}

/** All clients have been answered again, by whoever is left. */
export async function settles(crowd: Crowd): Promise<void> {
  const { h1, h2 } = crowd.answered;
  await eventually(() => crowd.answered.h1 > h1 + 20 && crowd.answered.h2 > h2 + 10, { what: 'more answers' });
}

/** Until it has sent a new connection to a replica that drains already. */
async function sendsOn(balancer: Balancer, replica: Sidecar): Promise<void> {
  await replica.waitForLog(({ state }) => state === 'draining');
  const before = balancer.sentTo(replica.port);
  await eventually(() => balancer.sentTo(replica.port) > before, { what: 'a new connection to it', everyMs: 5 });
}

export function assertNoneFailed({ failures, answered }: Crowd): void {
  assert.deepEqual(failures, []);
  // How many it has time for is up to the machine.
  assert.ok(answered.h1 > 60 && answered.h2 > 30, JSON.stringify(answered));
}

export type Rollouts = {
  readonly times: number;
  readonly drainDelay: string;
  readonly h1: number;
  readonly h2: number;
};

/** Replaces replicas, one after the other, by SIGTERM: no request fails. */
export async function replaceReplicas(t: TestContext, { times, drainDelay, h1, h2 }: Rollouts): Promise<void> {
  const { stage, balancer, crowd: begin } = await setScene(t, h1, h2);
  const { server, port: upstream } = await openApp();
  t.after(() => server.close().closeAllConnections());
  const args = ['--drain-delay', drainDelay, '--drain-timeout', '20s', '--access-log', 'off'];
  const start = async (): Promise<Sidecar> => {
    const replica = await stage.start({ upstream, args });
    balancer.targets.add(replica.port);
    return replica;
  };
  const replicas = await Promise.all([start(), start()]);
  const crowd = begin();
  await settles(crowd);
  for (let i = 0; i < times; i++) {
    const old = replicas.shift() as Sidecar;
    old.kill('SIGTERM');
    // Its endpoint is taken out while it drains, not before.
    const [exit] = await Promise.all([
      old.exited,
      start().then((next) => replicas.push(next)),
      sendsOn(balancer, old).finally(() => balancer.targets.delete(old.port)),
    ]);
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.deepEqual(crowd.failures.slice(0, 5), [], `replica ${i + 1}`);
  }
  await crowd.stop();
  assertNoneFailed(crowd);
}
