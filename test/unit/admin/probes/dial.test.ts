// A program that gets no CPU time for a while, as at its container's limit, takes no living app for a dead one: the kubelet
// would end it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { dialApp } from '../../../../src/admin/probes/dial.ts';

/** Longer than Node gives an address of a name, unless it is told otherwise, before it goes on to the next one. */
const STALL_MS = 600;

test('a stall while the app is dialled is no failure of the app', async (t) => {
  // On IPv4 alone, as most apps: the next address refuses.
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const stall = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
  const dialled = new Promise<Socket>((resolve) => {
    // Timers are due between this and the next look at what the system has to say of the connection.
    setImmediate(() => {
      resolve(dialApp(port, new AbortController().signal));
      process.nextTick(stall);
    });
  });
  const socket = await dialled;
  assert.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
});
