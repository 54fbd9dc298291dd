// All clients of TLS are read into one buffer; whoever takes a socket over gets bytes of its own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createAuthority } from '../../../certs/authority.ts';
import { ClientReads } from '../../../src/listener/client-reads.ts';
import { eventually } from '../../support/poll.ts';

const RECORD_BYTES = 16_384;

const until = (holds: () => boolean): Promise<unknown> => eventually(holds, { what: 'it', deadlineMs: 10_000 });

/** Two connections: the sockets of the server, and of the clients. */
async function twoPairs(t: { after(end: () => void): void }): Promise<{ served: TLSSocket[]; clients: TLSSocket[] }> {
  const { chain, key } = await (await createAuthority()).issue({ dns: ['localhost'] });
  const served: TLSSocket[] = [];
  const server = createServer({ cert: chain, key }, (socket) => void served.push(socket.on('error', () => {})));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  const clients: TLSSocket[] = [];
  t.after(() => {
    for (const socket of [...clients, ...served]) socket.destroy();
    server.close();
  });
  for (let i = 0; i < 2; i++) {
    const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(client, 'secureConnect');
    clients.push(client);
    await until(() => served.length > i);
  }
  return { served, clients };
}

test('two connections are read into the same memory, and bytes that somebody takes over are not in it', async (t) => {
  const { served, clients } = await twoPairs(t);
  const came: { text: string; memory: ArrayBufferLike }[] = [];
  const reads = served.map(
    (socket) => new ClientReads(socket, (bytes) => void came.push({ text: `${bytes}`, memory: bytes.buffer })),
  );
  for (const socket of served) socket.resume();
  clients[0]?.write('one');
  await until(() => came.length === 1);
  clients[1]?.write('two');
  await until(() => came.length === 2);
  assert.deepEqual(
    came.map(({ text }) => text),
    ['one', 'two'],
  );
  assert.equal(came[0]?.memory, came[1]?.memory);

  reads[0]?.leave();
  const taken: Buffer[] = [];
  served[0]?.on('data', (bytes) => taken.push(bytes));
  clients[0]?.write('three');
  await until(() => taken.length === 1);
  clients[1]?.write('other');
  await until(() => came.length === 3);
  assert.equal(String(taken[0]), 'three');
  assert.notEqual(taken[0]?.buffer, came[0]?.memory);
});

test('a paused one is not read, and its end comes when it is read again', async (t) => {
  const { served, clients } = await twoPairs(t);
  const [socket, client] = [served[0] as TLSSocket, clients[0] as TLSSocket];
  let text = '';
  new ClientReads(socket, (bytes) => {
    text += bytes;
  });
  socket.resume();
  client.write('a');
  await until(() => text === 'a');
  socket.pause();
  const ended = once(socket, 'end');
  client.end('b');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(text, 'a');
  socket.resume();
  await ended;
  assert.equal(text, 'ab');
});

test('a pause holds back what was read with the bytes before it, and whoever takes the socket over gets it', async (t) => {
  const { served, clients } = await twoPairs(t);
  const [socket, client] = [served[0] as TLSSocket, clients[0] as TLSSocket];
  let came = 0;
  const reads = new ClientReads(socket, ({ length }) => {
    came += length;
    socket.pause();
  });
  const still = async (length: number): Promise<void> => {
    await until(() => came >= length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(came, length);
  };
  socket.resume();
  // Three records, which come together.
  client.write(Buffer.alloc(RECORD_BYTES + RECORD_BYTES + 1));
  await still(RECORD_BYTES);
  socket.resume();
  await still(RECORD_BYTES + RECORD_BYTES);
  reads.leave();
  socket.on('data', ({ length }) => {
    came += length;
  });
  socket.resume();
  await still(RECORD_BYTES + RECORD_BYTES + 1);
});

test('what is no socket of TLS, or has bytes in its stream already, is read as a stream', async (t) => {
  const { served, clients } = await twoPairs(t);
  const socket = served[0] as TLSSocket;
  clients[0]?.write('early');
  socket.read(0);
  await until(() => socket.readableLength > 0);
  for (const source of [socket, new PassThrough().end('early')]) {
    let text = '';
    const reads = new ClientReads(source, (bytes) => {
      text += bytes;
    });
    source.resume();
    await until(() => text === 'early');
    reads.leave();
    assert.equal(source.listenerCount('data'), 0);
  }
});
