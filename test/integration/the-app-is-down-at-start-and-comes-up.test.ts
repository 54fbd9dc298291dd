// The sidecar does not wait for the app: it starts, answers 502 in words that help, is alive and not ready, and serves as
// soon as the app is there, without a restart.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { askAdmin } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import { forwarders, setStage } from '../support/stage.ts';

const get = 'GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n';

for (const forwarder of forwarders) {
  test(`502 at first, 200 later, on one connection (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const port = await unusedPort();
    // The 502 is no time-out: they lie beyond the patience of this test.
    const limits = ['--upstream-connect-timeout', '10m', '--upstream-timeout', '20m'];
    const sidecar = await stage.start({ upstream: port, args: ['--forwarder', forwarder, ...limits] });
    const client = await connect({ port: sidecar.port });

    client.send(get);
    const refused = await client.readResponse();
    assert.equal(refused.status, 502);
    assert.deepEqual(valuesOf(refused.headers, 'proxy-status'), [
      'tls-sidecar; error=connection_refused; details="upstream_refused"',
    ]);
    assert.match(valuesOf(refused.headers, 'content-type')[0] ?? '', /^text\/plain/);
    assert.deepEqual(valuesOf(refused.headers, 'connection'), []);
    const text = refused.body.toString();
    assert.match(text, /502 upstream_refused/);
    assert.match(text, /The app does not accept connections.*--upstream/);
    const line = await sidecar.waitForLog(({ reason }) => reason === 'upstream_refused');
    assert.deepEqual([line.status, line.side, line.path], [502, 'upstream', '/page']);
    assert.ok(text.includes(String(line.requestId)));
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 503);
    assert.equal((await askAdmin(sidecar, '/startupz')).status, 200);
    assert.equal((await askAdmin(sidecar, '/livez')).status, 200);

    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello');
    assert.equal((await client.readResponse()).status, 502);
    client.send('HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const head = await client.readResponse({ head: true });
    assert.deepEqual([head.status, client.unread.length], [502, 0]);

    await startApp(t, (_, response) => response.end('the app'), port);
    client.send(get);
    const served = await client.readResponse();
    assert.deepEqual([served.status, served.body.toString()], [200, 'the app']);
    await eventually(async () => (await askAdmin(sidecar, '/readyz')).status === 200, { what: 'readiness' });
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });

  test(`an app on a unix socket that is not there yet (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const path = join(stage.dir, 'app.sock');
    const args = ['--forwarder', forwarder];
    const sidecar = await stage.start({ upstream: `unix:${path}`, args });
    const client = await connect({ port: sidecar.port });
    client.send(get);
    assert.equal((await client.readResponse()).status, 502);
    const app = createServer((_, response) => response.end('the app'));
    app.listen(path);
    await once(app, 'listening');
    t.after(() => {
      app.close();
      app.closeAllConnections();
    });
    client.send(get);
    assert.equal((await client.readResponse()).body.toString(), 'the app');
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });

  test(`an app whose name does not resolve (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const sidecar = await stage.start({ upstream: 'http://no-such-app.invalid:80', args: ['--forwarder', forwarder] });
    const client = await connect({ port: sidecar.port });
    client.send(get);
    const answer = await client.readResponse();
    assert.equal(answer.status, 502);
    assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /error=dns_error; details="upstream_unresolved"/);
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });
}

test('an app that restarts again and again loses requests only while it is down', async (t) => {
  const stage = await setStage(t);
  const port = await unusedPort();
  const sidecar = await stage.start({ upstream: port });
  const client = await connect({ port: sidecar.port });
  const ask = async (): Promise<number> => {
    client.send(get);
    return (await client.readResponse()).status;
  };
  for (let round = 0; round < 5; round += 1) {
    const app = await startApp(t, (_, response) => response.end('the app'), port);
    for (let count = 0; count < 5; count += 1) assert.equal(await ask(), 200);
    const closed = once(app, 'close');
    app.close();
    app.closeAllConnections();
    await closed;
    assert.equal(await ask(), 502);
  }
  client.end();
  await client.closed;
  await endsWell(sidecar);
});
