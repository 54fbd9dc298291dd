// A client that owes a byte, or does not take what it asked for, is given --client-timeout: then a 408 where no answer has begun,
// a cut where one has. The connection to the app goes with it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

const UPLOADS = {
  'of known length': 'Content-Length: 100\r\n\r\nhalf',
  chunked: 'Transfer-Encoding: chunked\r\n\r\n64\r\nhalf',
};

for (const forwarder of forwarders) {
  for (const [kind, rest] of Object.entries(UPLOADS)) {
    test(`${forwarder}: stalled in an upload ${kind}`, async () => {
      const app = await createRecorder();
      const lane = await openLane({ forwarder, upstream: app.port, args: ['--client-timeout', '500ms'] });
      after(async () => {
        await lane.close();
        await app.close();
      });
      const client = await lane.connect();
      client.send(`POST / HTTP/1.1\r\nHost: app.test\r\n${rest}`);
      const answer = await client.readResponse();
      assert.equal(answer.status, 408);
      assert.match(answer.headText, /details="client_timeout"[\s\S]*Connection: close/);
      await app.connections[0]?.waitForClose();
      await client.closed;
      await lane.close();
      await app.close();
    });
  }

  test(`${forwarder}: stalled in a download`, async () => {
    const piece = Buffer.alloc(256 * 1024);
    const app = await createRecorder(async (connection) => {
      await connection.waitFor('\r\n\r\n');
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n');
      const fill = (): void => {
        while (!connection.socket.destroyed && connection.socket.write(piece));
      };
      connection.socket.on('drain', fill);
      fill();
    });
    const lane = await openLane({ forwarder, upstream: app.port, args: ['--client-timeout', '3s'] });
    after(async () => {
      await lane.close();
      await app.close();
    });
    const client = await lane.connect();
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    await client.waitFor((received) => received.length > 100_000);
    client.socket.pause();
    await eventually(() => app.connections[0]?.closed, {
      what: 'the end of the connection to the app',
    });
    await lane.sidecar.waitForLog((line) => line.reason === 'client_timeout');
    client.socket.resume();
    await client.closed;
    await lane.close();
    await app.close();
  });
}
