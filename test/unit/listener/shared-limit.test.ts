// One limit of connections for several servers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { limitTogether } from '../../../src/listener/shared-limit.ts';
import { eventually } from '../../support/poll.ts';

async function open(t: TestContext, count: number, limit: number): Promise<Server[]> {
  const servers = Array.from({ length: count }, () => createServer());
  limitTogether(servers, limit);
  for (const server of servers) {
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket.resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
  }
  return servers;
}

/** Undefined if it was closed at once. */
async function enter(server: Server): Promise<Socket | undefined> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const taken = await Promise.race([
    once(server, 'connection').then(() => true),
    once(server, 'drop').then(() => false),
  ]);
  if (taken) return socket;
  socket.destroy();
  return undefined;
}

test('what one server has, the others cannot have; what ends makes room at each', async (t) => {
  const [one, two] = (await open(t, 2, 2)) as [Server, Server];
  const first = await enter(one);
  assert.ok(first);
  assert.ok(await enter(one));
  // Nothing is left, which Node would take for no limit.
  assert.equal(await enter(two), undefined);
  assert.equal(await enter(one), undefined);
  first.destroy();
  await eventually(() => Number(two.maxConnections) > 0, { what: 'room at the other server' });
  assert.ok(await enter(two));
  assert.equal(await enter(one), undefined);
  assert.equal(await enter(two), undefined);
});

test('one server is allowed all, and nothing is counted beside Node', async (t) => {
  const [only] = (await open(t, 1, 1)) as [Server];
  assert.equal(only.maxConnections, 1);
  assert.ok(await enter(only));
  assert.equal(await enter(only), undefined);
});
