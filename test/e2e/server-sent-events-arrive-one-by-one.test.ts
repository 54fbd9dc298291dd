// An event stream: each event reaches the client before the app sends the next, the stream may be silent for longer than
// any time-out, and a client that leaves is noticed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { forwarders, setStage } from '../support/stage.ts';

for (const forwarder of forwarders) {
  for (const version of ['1.1', '1.0']) {
    test(`event by event, over HTTP/${version} (${forwarder})`, async (t) => {
      const stage = await setStage(t);
      const app = await startHeldApp(t);
      const args = ['--forwarder', forwarder, '--upstream-timeout', '3s', '--client-timeout', '3s'];
      const sidecar = await stage.start({ upstream: app.port, args });
      const client = await connect({ port: sidecar.port });
      client.send(`GET /events HTTP/${version}\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
      const { response } = await app.waitFor(1);
      response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' });
      response.flushHeaders();
      await client.waitFor('\r\n\r\n');
      for (let count = 1; count <= 20; count += 1) {
        response.write(`id: ${count}\ndata: event ${count}\n\n`);
        await client.waitFor(`data: event ${count}\n\n`);
      }
      const started = performance.now();
      await eventually(() => performance.now() - started > 4500, { what: 'a long silence' });
      response.write('data: after the silence\n\n');
      await client.waitFor('data: after the silence');
      response.end('data: last\n\n');
      const answer = await client.readResponse();
      assert.equal(answer.complete, true);
      assert.match(answer.body.toString(), /^id: 1\n[\s\S]*id: 20\n[\s\S]*data: last\n\n$/);
      client.end();
      await client.closed;
      await endsWell(sidecar);
    });
  }

  test(`the app is told when the client has left (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
    const client = await connect({ port: sidecar.port });
    client.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    let left = false;
    response.on('close', () => {
      left = true;
    });
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: 1\n\n');
    await client.waitFor('data: 1');
    client.destroy();
    await eventually(() => left, { what: 'the close at the app' });
    await endsWell(sidecar);
  });
}
