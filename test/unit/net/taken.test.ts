// How much a peer has taken, over real sockets: the figures are Node's own, and a release may move them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { createAuthority } from '../../../certs/authority.ts';
import { takenBytes } from '../../../src/net/taken.ts';
import { eventually } from '../../support/poll.ts';

const BYTES = 32 << 20;

async function portOf(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Waits until a figure has stood still for ten looks. */
async function still(figure: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  await eventually(
    () => {
      same = figure() === last ? same + 1 : 0;
      last = figure();
      return same >= 10;
    },
    { what: 'standstill', everyMs: 10 },
  );
  return last;
}

/** What holds for both: it stands still while nobody reads, whatever is written, and ends at all of it. */
async function assertTells(sender: Socket, receiver: Socket): Promise<void> {
  receiver.pause();
  const before = takenBytes(sender);
  sender.write(Buffer.alloc(BYTES));
  const stuck = await still(() => takenBytes(sender));
  assert.ok(stuck > before && stuck < BYTES, `${stuck} bytes taken`);
  sender.write(Buffer.alloc(1 << 20));
  assert.equal(await still(() => takenBytes(sender)), stuck);
  // A part is read: more is taken, though the stream is far from drained.
  let read = 0;
  receiver.on('data', (bytes: Buffer) => {
    read += bytes.length;
    if (read > 8 << 20 && read < 9 << 20) receiver.pause();
  });
  receiver.resume();
  await eventually(() => takenBytes(sender) > stuck, { what: 'more that is taken' });
  assert.equal(sender.writableNeedDrain, true);
  receiver.removeAllListeners('data').resume();
  await eventually(() => takenBytes(sender) - before >= BYTES + (1 << 20), { what: 'all of it' });
  sender.destroy();
  receiver.destroy();
}

test('a TCP socket tells what its peer has taken', async (t) => {
  const server = createServer();
  const receiver = connectTcp(await portOf(t, server), '127.0.0.1');
  const [sender] = (await once(server, 'connection')) as [Socket];
  await assertTells(sender, receiver);
});

test('a TLS socket on a TCP socket tells it, too', async (t) => {
  const authority = await createAuthority();
  const { chain: cert, key } = await authority.issue({ dns: ['localhost'] });
  const tls = createTlsServer({ cert, key });
  const server = createServer((socket) => tls.emit('connection', socket));
  const port = await portOf(t, server);
  const receiver = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.pem });
  const [sender] = (await once(tls, 'secureConnection')) as [Socket];
  await assertTells(sender, receiver);
});

test('a stream that is no socket, and a closed socket, tell 0', () => {
  assert.equal(takenBytes(new PassThrough()), 0);
});
