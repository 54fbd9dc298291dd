// /livez, /startupz, /readyz, /metrics and /status over plain HTTP, and nothing else; readiness follows the app, liveness does not.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

test('the routes, and what is none', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port });
  for (const path of ['/livez', '/startupz', '/readyz', '/metrics', '/livez?verbose']) {
    const answer = await askAdmin(sidecar, path);
    assert.equal(answer.status, 200, path);
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.notEqual(answer.body, '');
    const head = await askAdmin(sidecar, path, 'HEAD');
    assert.deepEqual([head.status, head.body], [200, ''], path);
    const post = await askAdmin(sidecar, path, 'POST');
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD'], path);
  }
  for (const path of ['/', '/nope', '/livez/', '/LIVEZ', '//livez', '/metrics/x', '/__proto__', '/toString']) {
    assert.equal((await askAdmin(sidecar, path)).status, 404, path);
  }
  assert.equal((await readMetrics(sidecar)).sum('requests_total'), 0);
  await endsWell(sidecar);
});

test('/status tells what is served, not what stands on disk', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port });
  const read = async () => JSON.parse((await askAdmin(sidecar, '/status')).body);
  const client = await connect({ port: sidecar.port });
  const peer = client.socket.getPeerX509Certificate();
  assert.ok(peer);
  const status = await read();
  assert.deepEqual(
    [status.state, status.draining, status.pid, status.app.accepts, status.requestsInFlight],
    ['ready', false, sidecar.pid, true, 0],
  );
  assert.deepEqual(status.connections, { handshake: 0, 'http/1.1': 1, h2: 0 });
  assert.match(status.version, /^\d+\.\d+\.\d+$/);
  assert.ok(status.uptimeSeconds >= 0 && status.uptimeSeconds < 60);
  const [{ name, served, diskDiffers, lastReload }] = status.certificates;
  assert.deepEqual([name, diskDiffers, lastReload], [stage.volume.path('tls.crt'), false, null]);
  assert.equal(served.sha256, peer.fingerprint256.replaceAll(':', '').toLowerCase());
  assert.equal(served.serial, stage.pair.serial.toLowerCase());
  assert.deepEqual(served.names, peer.subjectAltName?.split(', '));
  assert.equal(served.notAfter, new Date(peer.validTo).toISOString());
  assert.equal(served.withinDates, true);
  assert.ok(served.source.startsWith(stage.volume.dir));

  await stage.volume.write({ 'tls.crt': 'garbage', 'tls.key': 'garbage' });
  await eventually(async () => (await read()).certificates[0].diskDiffers, { what: 'the difference' });
  const [broken] = (await read()).certificates;
  assert.equal(broken.served.sha256, served.sha256);
  assert.deepEqual([broken.lastReload.result, broken.lastReload.reason], ['failed', 'no_certificate']);
  assert.match(broken.lastReload.detail, /tls\.crt holds no PEM certificate/);

  const next = await stage.issue();
  await stage.volume.write(stage.files(next));
  await eventually(async () => (await read()).certificates[0].served.serial === next.serial.toLowerCase(), {
    what: 'the next serial',
  });
  const [mended] = (await read()).certificates;
  assert.deepEqual([mended.diskDiffers, mended.lastReload.result], [false, 'success']);
  assert.ok(mended.served.since > served.since);
  const { body } = await askAdmin(sidecar, '/status');
  assert.doesNotMatch(body, /PRIVATE KEY|BEGIN/);
  client.end();
  await client.closed;
  await endsWell(sidecar);
});

test('/status tells of the client CA what is in force, and how the file is', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end());
  const caFile = join(stage.dir, 'ca.pem');
  await writeFile(caFile, stage.authority.pem);
  const without = await stage.start({ upstream: app.port });
  assert.equal(JSON.parse((await askAdmin(without, '/status')).body).clientCa, null);
  const sidecar = await stage.start({ upstream: app.port, args: ['--client-ca', caFile] });
  const read = async () => JSON.parse((await askAdmin(sidecar, '/status')).body).clientCa;
  const opened = await read();
  assert.deepEqual([opened.name, opened.diskDiffers, opened.lastReload], [caFile, false, null]);
  assert.deepEqual([opened.authorities.length, opened.authorities[0].withinDates], [1, true]);

  await writeFile(caFile, stage.pair.cert);
  const broken = await eventually(async () => (await read()).lastReload !== null && read(), { what: 'the refusal' });
  assert.deepEqual([broken.sha256, broken.diskDiffers], [opened.sha256, true]);
  assert.deepEqual([broken.lastReload.result, broken.lastReload.reason], ['failed', 'not_a_ca']);
  const failed = { result: 'failed', reason: 'client_ca_not_a_ca' };
  assert.equal((await readMetrics(sidecar)).sum('certificate_reloads_total', failed), 1);

  await writeFile(caFile, stage.authority.pem);
  await sidecar.waitForLog('the file holds again the client CA that is in force');
  const restored = await read();
  assert.deepEqual(
    [restored.diskDiffers, restored.lastReload.reason, restored.since],
    [false, 'restored', opened.since],
  );

  const other = await createAuthority({ commonName: 'other' });
  await writeFile(caFile, other.pem);
  await sidecar.waitForLog('client CA reloaded');
  const next = await read();
  assert.deepEqual([next.authorities[0].subject, next.lastReload.reason], ['CN=other', 'changed']);
  assert.ok(next.sha256 !== opened.sha256 && next.since > opened.since);
  await endsWell(without);
  await endsWell(sidecar);
});

test('readiness follows the app, a line a check; startup and liveness do not', async (t) => {
  const stage = await setStage(t);
  const port = await unusedPort();
  const sidecar = await stage.start({ upstream: port });
  const ready = async (): Promise<number> => (await askAdmin(sidecar, '/readyz')).status;
  assert.equal(await ready(), 503);
  const { body } = await askAdmin(sidecar, '/readyz');
  assert.match(body, /^ok sidecar: ready$/m);
  assert.match(body, /^failed app: /m);
  for (let round = 0; round < 2; round += 1) {
    const app = await startApp(t, (_, response) => response.end('the app'), port);
    await eventually(async () => (await ready()) === 200, { what: 'readiness' });
    assert.match((await askAdmin(sidecar, '/readyz')).body, /^ok app: /m);
    app.close();
    app.closeAllConnections();
    await eventually(async () => (await ready()) === 503, { what: 'unreadiness' });
    assert.equal((await askAdmin(sidecar, '/startupz')).status, 200);
    assert.equal((await askAdmin(sidecar, '/livez')).status, 200);
  }
  await endsWell(sidecar);
});

test('a readiness probe costs the app a connection a second at most', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  let dials = 0;
  app.on('connection', () => {
    dials += 1;
  });
  const sidecar = await stage.start({ upstream: app.port });
  const started = performance.now();
  await Promise.all(Array.from({ length: 40 }, () => askAdmin(sidecar, '/readyz')));
  const seconds = Math.ceil((performance.now() - started) / 1000);
  assert.ok(dials >= 1 && dials <= seconds + 1, `${dials} dials in ${seconds} s`);
  await endsWell(sidecar);
});

test('nonsense on the admin port harms nobody', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port });
  for (const bytes of [
    '\x16\x03\x01\x00\xc8',
    'GET\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX Y: z\r\n\r\n',
  ]) {
    const client = await connectPlain({ port: sidecar.adminPort });
    client.send(Buffer.from(bytes, 'latin1'));
    await client.closed;
  }
  const leaver = await connectPlain({ port: sidecar.adminPort });
  leaver.send('GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
  leaver.socket.resetAndDestroy();
  await leaver.closed;
  assert.equal((await askAdmin(sidecar, '/livez')).status, 200);
  await endsWell(sidecar);
});

test('--admin off opens no port', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const off = await stage.start({ upstream: app.port, admin: 'off' });
  assert.equal(off.adminPort, 0);
  assert.equal((await off.waitForLog('serving')).admin, 'off');
  await endsWell(off);
});
