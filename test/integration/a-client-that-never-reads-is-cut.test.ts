// A client that takes nothing of its answer is cut after --client-timeout, whatever it sends in the meantime, and however much the
// app has to say.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

const PIECE = Buffer.alloc(256 * 1024, 'x');

for (const forwarder of forwarders) {
  test(`${forwarder}: though it sends a chunk of one byte every few milliseconds`, async () => {
    const app = await createRecorder(async ({ socket, waitFor, write }) => {
      await waitFor('\r\n\r\n');
      write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n');
      const fill = (): void => {
        while (!socket.destroyed && socket.write(PIECE));
      };
      socket.on('drain', fill);
      fill();
    });
    const lane = await openLane({ forwarder, upstream: app.port, args: ['--client-timeout', '1s'] });
    after(async () => {
      await lane.close();
      await app.close();
    });
    const client = await lane.connect();
    client.send('POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.waitFor((received) => received.length > 100_000);
    client.socket.pause();
    const drip = setInterval(() => client.send('1\r\na\r\n'), 10);
    after(() => clearInterval(drip));
    await eventually(() => app.connections[0]?.closed, {
      what: 'the end of the connection to the app',
    });
    clearInterval(drip);
    const line = await lane.sidecar.waitForLog(({ reason }) => reason === 'client_timeout');
    assert.equal(line.status, 200);
    client.destroy();
    await client.closed;
    assert.deepEqual(lane.defects, []);
  });
}
