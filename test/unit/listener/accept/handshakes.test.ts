// Handshakes over loopback sockets, on a clock that the test holds: each is counted once, as what it was, and nothing is
// read as HTTP whose pending connection is not known.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { afterEach, before, beforeEach, describe, test } from 'node:test';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { createAuthority } from '../../../../certs/authority.ts';
import { type Accepted, Handshakes } from '../../../../src/listener/accept/handshakes.ts';
import { PendingConnection } from '../../../../src/listener/accept/pending-connection.ts';
import { Connections } from '../../../../src/listener/connections.ts';
import { AddressList } from '../../../../src/net/addresses.ts';
import { Deadlines } from '../../../../src/net/deadlines.ts';
import { eventually } from '../../../support/poll.ts';

const HALF_A_HELLO = Buffer.from('16030100c8010000c40303', 'hex');
const DEADLINE_MS = 1000;

let pair: { cert: string; key: string };
let nowMs = 0;
let reports: string[];
let accepted: Accepted[];
let begun: PendingConnection[];
let connections: Connections;
let deadlines: Deadlines;
let server: Server;
let onAccepted: (connection: Accepted) => void;

before(async () => {
  const { chain, key } = await (await createAuthority()).issue({ dns: ['localhost'] });
  pair = { cert: chain, key };
});

beforeEach(async () => {
  nowMs = 0;
  reports = [];
  accepted = [];
  begun = [];
  onAccepted = (connection) => void accepted.push(connection);
  deadlines = new Deadlines(() => nowMs);
  connections = new Connections({ clock: () => nowMs, deadlines, maxAgeMs: 0 });
  const handshakes = new Handshakes({
    tls: { fallback: pair, choose: undefined },
    http2: true,
    handshakeTimeoutMs: DEADLINE_MS,
    clientCertificates: undefined,
    observer: {
      handshake: (version) => void reports.push(`secured ${version}`),
      handshakeFailed: (reason) => void reports.push(`failed ${reason}`),
      left: () => void reports.push('left'),
      refused: (reason) => void reports.push(`refused ${reason}`),
      clientRefused: ({ reason }) => void reports.push(`client refused ${reason}`),
    },
    accepted: (connection) => onAccepted(connection),
    crashed: (error) => void reports.push(`crashed: ${(error as Error).message}`),
  });
  server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    begun.push(
      new PendingConnection(socket, {
        silentUntilMs: 2000,
        connections,
        events: handshakes,
        deadlineMs: nowMs + DEADLINE_MS,
        balancers: new AddressList([]),
        needsServerName: () => handshakes.needsServerName,
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  connections.destroyAll();
  for (const { socket } of accepted) socket.destroy();
  deadlines.close();
  server.close();
  await once(server, 'close');
});

const port = (): number => (server.address() as AddressInfo).port;
const enough = (count: number): Promise<unknown> =>
  eventually(() => reports.length >= count, { what: `${count} reports, not ${reports}` });

async function gone(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume();
  if (!socket.closed) await once(socket, 'close');
}

/** A client in the middle of its handshake. */
async function half(): Promise<Socket> {
  const client = connectTcp(port(), '127.0.0.1').on('error', () => {});
  const count = begun.length;
  client.write(HALF_A_HELLO);
  const pending = await eventually(() => begun[count], { what: 'the connection' });
  // Paused by us, then read again by the TLS server: its handshake is under way.
  await eventually(() => pending.socket.bytesRead >= HALF_A_HELLO.length, { what: 'its first bytes' });
  return client;
}

function whole(alpn: string[] = ['h2']): TLSSocket {
  return connectTls({ port: port(), host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: alpn }).on(
    'error',
    () => {},
  );
}

describe('a handshake', () => {
  test('that is complete is handed over with what was agreed, and is pending no more', async () => {
    whole();
    await eventually(() => accepted.length === 1, { what: 'the connection' });
    const [connection] = accepted;
    assert.deepEqual(
      [connection?.protocol, connection?.remoteAddress, connection?.tls?.version, connection?.client],
      ['h2', '127.0.0.1', 'TLSv1.3', undefined],
    );
    assert.deepEqual([reports, connections.size], [['secured TLSv1.3'], 0]);
  });

  test('without ALPN speaks HTTP/1.1', async () => {
    whole([]);
    await eventually(() => accepted.length === 1, { what: 'the connection' });
    assert.equal(accepted[0]?.protocol, 'http/1.1');
  });

  test('that we cut is counted once, as that', async () => {
    const client = await half();
    nowMs = DEADLINE_MS;
    deadlines.sweep();
    await gone(client);
    await half().then((next) => next.resetAndDestroy());
    await enough(2);
    assert.deepEqual(reports, ['failed timeout', 'failed client_left']);
  });

  test('whose client resets while others are cut is counted as its own', async () => {
    const clients = [await half(), await half()];
    nowMs = DEADLINE_MS / 2;
    const leaves = await half();
    nowMs = DEADLINE_MS;
    deadlines.sweep();
    leaves.resetAndDestroy();
    await Promise.all(clients.map(gone));
    await enough(3);
    assert.deepEqual(reports, ['failed timeout', 'failed timeout', 'failed client_left']);
    await eventually(() => connections.size === 0, { what: 'the end of all' });
  });

  test('that we cut at a change of the client CA is counted as that', async () => {
    const client = await half();
    connections.revokeAll();
    await gone(client);
    await half().then((next) => next.resetAndDestroy());
    await enough(2);
    assert.deepEqual(reports, ['failed client_ca_changed', 'failed client_left']);
  });

  test('with bytes that make no sense fails as such', async () => {
    const client = connectTcp(port(), '127.0.0.1');
    client.write('\x16\x03\x01\x00\x05hello');
    await gone(client);
    assert.deepEqual(reports, ['failed protocol']);
  });
});

describe('what is not TLS', () => {
  test('is handed over as plain HTTP/1.1', async () => {
    connectTcp(port(), '127.0.0.1').write('GET / HTTP/1.1\r\n');
    await eventually(() => accepted.length === 1, { what: 'the connection' });
    assert.deepEqual(
      [accepted[0]?.protocol, accepted[0]?.tls, reports, connections.size],
      ['http/1.1', undefined, [], 0],
    );
  });

  test('nor HTTP is closed', async () => {
    const client = connectTcp(port(), '127.0.0.1');
    client.write('\0\0');
    await gone(client);
    assert.deepEqual([reports, accepted], [['failed not_tls'], []]);
  });
});

describe('a connection ends alone', () => {
  test('when whoever takes it over throws', async () => {
    onAccepted = () => {
      throw new Error('broken');
    };
    await gone(whole());
    onAccepted = (connection) => void accepted.push(connection);
    whole();
    await eventually(() => accepted.length === 1, { what: 'the next one' });
    assert.deepEqual(reports, ['secured TLSv1.3', 'crashed: broken', 'secured TLSv1.3']);
    await eventually(() => connections.size === 0, { what: 'the end of the first' });
  });

  test('when Node no longer says which TCP socket a TLS socket is on', async () => {
    // An own property is not made where the prototype has a setter.
    Object.defineProperty(TLSSocket.prototype, '_parent', { get: () => null, set: () => {}, configurable: true });
    try {
      await gone(whole());
    } finally {
      Reflect.deleteProperty(TLSSocket.prototype, '_parent');
    }
    await enough(1);
    assert.match(reports[0] ?? '', /^crashed: a TLS socket without/);
    assert.deepEqual([reports.length, accepted], [1, []]);
  });
});
