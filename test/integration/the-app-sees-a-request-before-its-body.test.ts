// The head of a request goes to the app when it is here, not when the first byte of its body is: the app may want to
// answer before it, and a client may want to see that answer first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { connect } from '../support/raw-client.ts';
import { forwarders, setStage } from '../support/stage.ts';

for (const forwarder of forwarders) {
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    test(`${framing} (${forwarder})`, async (t) => {
      const stage = await setStage(t);
      const app = await startHeldApp(t);
      const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
      const client = await connect({ port: sidecar.port });
      client.send(`POST / HTTP/1.1\r\nHost: localhost\r\n${framing}\r\n\r\n`);
      const { response } = await app.waitFor(1);
      response.writeHead(401, { 'content-length': '4' });
      response.end('who?');
      const answer = await client.readResponse();
      assert.deepEqual([answer.status, answer.body.toString()], [401, 'who?']);
      client.end();
      await client.closed;
      await endsWell(sidecar);
    });
  }
}
