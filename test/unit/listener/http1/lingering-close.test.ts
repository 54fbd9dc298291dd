// How a connection is left: the last answer first, then our end, then nothing but waiting for the client's, for a while.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientDeadline } from '../../../../src/listener/http1/deadline.ts';
import { closeLingering } from '../../../../src/listener/http1/lingering-close.ts';
import { FakeSocket, turn } from './fake-socket.ts';

const LIMITS = {
  idleTimeoutMs: 75_000,
  headerTimeoutMs: 10_000,
  clientTimeoutMs: 60_000,
  minBodyRate: 240,
  lingerMs: 2000,
};

function begin() {
  const socket = new FakeSocket();
  const deadline = new ClientDeadline(
    LIMITS,
    () => 0,
    () => 0,
  );
  return { socket, deadline };
}

test('our direction ends at once where all has been taken, and the client has the linger time to close', async () => {
  const { socket, deadline } = begin();
  socket.write('the last answer');
  closeLingering(socket, deadline);
  await turn();
  assert.deepEqual([socket.sent, socket.writableFinished], ['the last answer', true]);
  assert.deepEqual([deadline.awaited, deadline.deadlineMs], ['close', LIMITS.lingerMs]);
});

test('an answer that waits is taken first', async () => {
  const { socket, deadline } = begin();
  socket.takes = false;
  socket.write('the last answer');
  closeLingering(socket, deadline);
  await turn();
  assert.deepEqual([deadline.awaited, socket.writableFinished], ['taking', false]);
  socket.takeAll();
  await turn();
  assert.deepEqual([deadline.awaited, socket.writableFinished], ['close', true]);
});

test('what still comes is read, though reading was paused, and dropped; the end of the client is the end', async () => {
  const { socket, deadline } = begin();
  socket.pause();
  closeLingering(socket, deadline);
  await socket.send(Buffer.alloc(100_000));
  assert.deepEqual([socket.readableLength, socket.destroyed], [0, false]);
  await socket.send(null);
  assert.equal(socket.destroyed, true);
});
