// Rotation as the kubelet does it, fifty times, with requests on open connections and new handshakes going on all the
// while: nothing fails, and soon after the last swap the newest certificate is what new clients see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import { forwarders, serialServed, setStage } from '../support/stage.ts';
import { withoutPoll } from '../support/without-poll.ts';

const swaps = 50;
const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const getAndClose = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

async function ask(client: RawClient, request: string): Promise<void> {
  client.send(request);
  const { status, body, complete } = await client.readResponse();
  assert.deepEqual([status, body.toString(), complete], [200, 'the app', true]);
}

for (const forwarder of forwarders) {
  test(`${swaps} swaps under load lose no request and no handshake (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end('the app'));
    const sidecar = await stage.start({
      env: withoutPoll,
      upstream: app.port,
      args: ['--forwarder', forwarder, '--access-log', 'errors'],
    });
    const pairs = await Promise.all(Array.from({ length: swaps }, () => stage.issue()));
    const known = [stage.pair, ...pairs].map(({ serial }) => serial);

    let over = false;
    let requests = 0;
    let handshakes = 0;
    const openFromTheStart = await Promise.all([1, 2, 3, 4].map(() => connect({ port: sidecar.port })));
    const keepAlive = openFromTheStart.map(async (client) => {
      while (!over) {
        await ask(client, get);
        requests += 1;
      }
    });
    const newcomers = [1, 2].map(async () => {
      let newest = 0;
      while (!over) {
        const client = await connect({ port: sidecar.port });
        const at = known.indexOf(client.socket.getPeerCertificate().serialNumber);
        assert.ok(at >= newest, `certificate ${at} was served after ${newest}`);
        newest = at;
        await ask(client, getAndClose);
        assert.deepEqual(await client.closed, { hadError: false });
        handshakes += 1;
      }
    });
    const load = Promise.all([...keepAlive, ...newcomers]);
    load.catch(() => {
      over = true;
    });

    for (const pair of pairs) {
      const seen = { requests, handshakes };
      await stage.volume.write(stage.files(pair));
      const moved = (): boolean => over || (requests >= seen.requests + 10 && handshakes >= seen.handshakes + 2);
      await eventually(moved, { what: 'requests and handshakes after a swap', everyMs: 2 });
    }
    await eventually(async () => over || (await serialServed(sidecar)) === known.at(-1), {
      what: 'the newest serial after the last swap',
    });
    over = true;
    await load;

    for (const client of openFromTheStart) {
      assert.equal(client.socket.getPeerCertificate().serialNumber, stage.pair.serial);
      await ask(client, get);
      client.end();
      await client.closed;
    }
    const metrics = await readMetrics(sidecar);
    assert.equal(metrics.sum('certificate_reloads_total', { result: 'failed' }), 0);
    assert.ok(metrics.sum('certificate_reloads_total', { result: 'success' }) >= 1);
    assert.equal(metrics.sum('certificate_disk_differs'), 0);
    assert.equal(metrics.sum('handshake_failures_total'), 0);
    assert.equal(metrics.sum('requests_total'), metrics.sum('requests_total', { code: '200' }));
    await endsWell(sidecar);
  });
}

test('every swap of a slow sequence is served within two seconds, and logged with both serials', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port, env: withoutPoll });
  let previous = stage.pair;
  for (let swap = 0; swap < 3; swap += 1) {
    const next = await stage.issue();
    await stage.volume.write(stage.files(next));
    await eventually(async () => (await serialServed(sidecar)) === next.serial, {
      what: 'the new serial',
    });
    const line = await sidecar.waitForLog(
      ({ msg, serial }) => msg === 'certificate reloaded' && serial === next.serial.toLowerCase(),
    );
    assert.equal(line.previousSerial, previous.serial.toLowerCase());
    previous = next;
  }
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('certificate_reloads_total', { result: 'success' }), 3);
  const age = Date.now() / 1000 - metrics.sum('certificate_last_reload_success_timestamp_seconds');
  assert.ok(age >= 0 && age < 10, `last reload ${age} s ago`);
  await endsWell(sidecar);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ${version} ticket from before a rotation resumes after it`, async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end('the app'));
    const sidecar = await stage.start({ upstream: app.port });
    const only = { port: sidecar.port, minVersion: version, maxVersion: version };
    const before = await connect(only);
    await ask(before, getAndClose);
    const ticket = await eventually(() => before.session, { what: 'a session ticket' });
    assert.equal(before.socket.isSessionReused(), false);

    const next = await stage.issue();
    await stage.volume.write(stage.files(next));
    await eventually(async () => (await serialServed(sidecar)) === next.serial, { what: 'the new serial' });

    const after = await connect({ ...only, session: ticket });
    assert.equal(after.socket.isSessionReused(), true);
    await ask(after, getAndClose);
    const metrics = await readMetrics(sidecar);
    assert.equal(metrics.sum('handshakes_total', { version, resumed: 'true' }), 1);
    await endsWell(sidecar);
  });
}

test('an RSA pair replaces an EC pair and goes again', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port });
  for (const keyType of ['rsa', 'ec'] as const) {
    const next = await stage.authority.issue({ dns: ['localhost'], keyType });
    await stage.volume.write(stage.files(next));
    await eventually(async () => (await serialServed(sidecar)) === next.serial, { what: `the ${keyType} pair` });
  }
  await endsWell(sidecar);
});
