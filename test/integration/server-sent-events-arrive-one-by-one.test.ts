// An event stream: each event reaches the client when the app sends it, silence is no fault, and when the client leaves the app
// is told.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

const FRAMINGS = {
  'until the end of the connection': { field: '', frame: (event: string) => event },
  chunked: {
    field: 'Transfer-Encoding: chunked\r\n',
    frame: (event: string) => `${event.length.toString(16)}\r\n${event}\r\n`,
  },
};

for (const forwarder of forwarders) {
  for (const [name, { field, frame }] of Object.entries(FRAMINGS)) {
    test(`${forwarder}: a stream ${name}`, async () => {
      const app = await createRecorder();
      const lane = await openLane({ forwarder, upstream: app.port, args: ['--upstream-timeout', '3s'] });
      after(async () => {
        await lane.close();
        await app.close();
      });
      const client = await lane.connect();
      client.send('GET /events HTTP/1.1\r\nHost: app.test\r\nAccept: text/event-stream\r\n\r\n');
      const connection = await app.waitForConnection();
      await connection.waitFor('\r\n\r\n');
      connection.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${field}\r\n`);
      await client.waitFor('\r\n\r\n'); // the head, before any event
      for (let n = 1; n <= 5; n++) {
        connection.write(frame(`data: ${n}\n\n`));
        await client.waitFor(`data: ${n}\n\n`);
        assert.equal(client.received.includes(`data: ${n + 1}`), false);
      }
      // Longer than --upstream-timeout.
      const until = performance.now() + 4500;
      await eventually(() => client.ended || performance.now() > until, { what: 'a silence' });
      assert.equal(client.ended, false);
      connection.write(frame('data: late\n\n'));
      await client.waitFor('data: late\n\n');
      client.destroy();
      await connection.waitForClose();
      await lane.close();
      await app.close();
    });
  }
}
