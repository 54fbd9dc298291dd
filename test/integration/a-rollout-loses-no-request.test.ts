// Replicas are replaced under load, behind a balancer that goes on for a while to send new connections to one that
// terminates, for clients of HTTP/1.1 and HTTP/2 that ask nothing a second time: no request fails. Once by signals alone, and
// once in the order in which Kubernetes stops a Pod with a native sidecar, with the numbers of the manifests. A replica that
// is killed takes with it only what was on its connections.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runToExit } from '../support/program.ts';
import { assertNoneFailed, openApp, replaceReplicas, setScene, settles } from '../support/rollout-scene.ts';

/** Of k8s/: the sidecar's drain delay, the app's sleep before it is told to stop. */
const DRAIN_DELAY = '5s';
const APP_SLEEP_MS = 8000;
/** What an app needs to stop, and what a cluster needs to take an endpoint out. */
const APP_STOPS_MS = 3000;
const ENDPOINT_MS = 2500;

describe('a rollout', { concurrency: 4 }, () => {
  for (const lane of ['ten replicas', 'ten more'])
    test(`${lane}, one after the other, are told to end by SIGTERM: none of the requests fails`, (t) =>
      replaceReplicas(t, { times: 10, drainDelay: DRAIN_DELAY, h1: 5, h2: 3 }));

  test("in Kubernetes' order, preStop hooks first, then the app, the sidecar last: none of the requests fails", async (t) => {
    const { stage, balancer, crowd: begin } = await setScene(t);
    const args = ['--drain-delay', DRAIN_DELAY, '--access-log', 'off', '--drain-timeout', '25s'];
    const start = async () => {
      const app = await openApp();
      t.after(() => app.server.close().closeAllConnections());
      const sidecar = await stage.start({ upstream: app.port, args });
      balancer.targets.add(sidecar.port);
      return { app, sidecar };
    };
    const [old] = await Promise.all([start(), start()]);
    const crowd = begin();
    await settles(crowd);
    const { app, sidecar } = old;
    const drained = runToExit(['drain'], { env: { TLS_SIDECAR_ADMIN: `127.0.0.1:${sidecar.adminPort}` } });
    // Both hooks begin together. On a busy machine the command takes seconds to start, which is not what this is about.
    await sidecar.waitForLog(({ msg, state }) => msg === 'state' && state === 'draining');
    await Promise.all([
      delay(ENDPOINT_MS).then(() => balancer.targets.delete(sidecar.port)),
      delay(APP_SLEEP_MS).then(async () => {
        app.server.close();
        await delay(APP_STOPS_MS);
        app.server.closeAllConnections();
      }),
      start(),
    ]);
    assert.deepEqual(await drained, { code: 0, signal: null, stdout: '', stderr: '' });
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    await settles(crowd);
    await crowd.stop();
    assertNoneFailed(crowd);
  });

  test('a replica that is killed takes with it only what was on its connections', async (t) => {
    const { stage, balancer, crowd: begin } = await setScene(t);
    const { server, port: upstream } = await openApp();
    t.after(() => server.close().closeAllConnections());
    const start = () =>
      stage.start({ upstream, args: ['--access-log', 'off'], expect: { exit: { code: null, signal: 'SIGKILL' } } });
    const [old, other] = await Promise.all([start(), start()]);
    for (const { port } of [old, other]) balancer.targets.add(port);
    const crowd = begin();
    await settles(crowd);
    assert.deepEqual(crowd.failures, []);
    balancer.targets.delete(old.port);
    await settles(crowd);
    assert.deepEqual(crowd.failures, []);
    old.kill('SIGKILL');
    await old.exited;
    await settles(crowd);
    await crowd.stop();
    assert.ok(crowd.failures.length <= 12, 'at most one for each client');
    const elsewhere = crowd.failures.filter(({ clientPort }) => balancer.targetOf(clientPort) === other.port);
    assert.deepEqual(elsewhere, []);
    assert.ok(crowd.answered.h1 > 50);
    other.kill('SIGKILL');
    await other.exited;
  });
});
