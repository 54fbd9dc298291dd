// Deadlines of a process that had no CPU time for a while: what came meanwhile is read before anybody is blamed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Deadlines, SWEEP_MS } from '../../../src/net/deadlines.ts';

test('after a stall, what has come is read before deadlines are looked at', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  t.after(() => client.destroy());

  const deadlines = new Deadlines(() => performance.now());
  t.after(() => deadlines.close());
  let expired = 0;
  const timed = {
    deadlineMs: performance.now() + SWEEP_MS,
    expire() {
      expired++;
      this.deadlineMs = Number.POSITIVE_INFINITY;
    },
    crashed: assert.ifError,
  };
  deadlines.add(timed);
  socket.on('data', () => {
    timed.deadlineMs = performance.now() + 60_000;
  });
  const read = once(socket, 'data');
  await turn();
  client.write('in time');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * SWEEP_MS);
  await read;
  assert.equal(expired, 0);

  timed.deadlineMs = performance.now();
  while (expired === 0) await new Promise((resolve) => setTimeout(resolve, SWEEP_MS));
});
