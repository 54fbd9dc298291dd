// An app may close a connection that it kept, at the very moment when it is used again: before or after any answer, in order or
// by a reset. A GET that met such a connection is sent again on a fresh one; none is lost.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { forwarders, openLane } from '../support/stage.ts';

/** http-proxy costs three times as much for each. */
const GETS = { wire: 10_000, 'http-proxy': 2_500 };
const CLIENTS = 16;
const BATCH = 25;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Every seventh answer or so is followed by an end of the connection: in the same turn, in the next, or with a reset. */
async function openApp() {
  let count = 0;
  let closes = 0;
  const server = createServer((socket) => {
    let unread = '';
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      unread += bytes.toString('latin1');
      if (!unread.endsWith('\r\n\r\n')) return;
      unread = '';
      const turn = (Math.imul(++count, 2654435761) >>> 8) % 21;
      socket.write(ANSWER);
      if (turn <= 2) closes++;
      if (turn === 0) socket.end();
      else if (turn === 1) setImmediate(() => socket.end());
      else if (turn === 2) setImmediate(() => socket.resetAndDestroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, closes: () => closes, server };
}

for (const forwarder of forwarders) {
  // A small cap makes exchanges wait for a connection: then the second try must not get a used one either.
  for (const cap of [256, 4]) {
    const gets = GETS[forwarder];
    test(`${forwarder}: ${gets} GETs over at most ${cap} connections`, async (t) => {
      const app = await openApp();
      const args = ['--access-log', 'errors', '--upstream-max-connections', String(cap)];
      const lane = await openLane({ forwarder, upstream: app.port, args });
      const lost: string[] = [];
      let left = gets;
      const work = async (): Promise<void> => {
        let client = await lane.connect();
        while (left > 0) {
          left -= BATCH;
          client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n'.repeat(BATCH));
          for (let n = 0; n < BATCH; n++) {
            const { status, body } = await client.readResponse();
            if (status !== 200) lost.push(`${status} ${body.toString('latin1', 0, 30)}`);
          }
          client.destroy();
          client = await lane.connect();
        }
        client.destroy();
      };
      try {
        await Promise.all(Array.from({ length: CLIENTS }, work));
        t.diagnostic(`the app closed ${app.closes()} times`);
        assert.ok(app.closes() > gets / 20);
        assert.deepEqual(
          [...new Set(lost)].map((kind) => `${lost.filter((one) => one === kind).length} x ${kind}`),
          [],
        );
        assert.deepEqual(lane.defects, []);
      } finally {
        await lane.close();
        app.server.close();
      }
    });
  }
}
