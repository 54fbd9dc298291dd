// A connection before its handshake, on a fake socket and a clock that the test holds: each way it can end is reported once.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  PendingConnection,
  type PendingEvents,
  type PendingOptions,
} from '../../../../src/listener/accept/pending-connection.ts';
import { Connections } from '../../../../src/listener/connections.ts';
import { AddressList, type Range, readRange } from '../../../../src/net/addresses.ts';
import { Deadlines } from '../../../../src/net/deadlines.ts';
import { FakeSocket } from './fake-socket.ts';

const DEADLINE_MS = 10_000;
const SILENT_MS = 2000;
const BALANCER = '198.51.100.1';
const HELLO = Buffer.from('16030100c8010000c40303', 'hex');

let nowMs = 0;
let deadlines: Deadlines;
let connections: Connections;
let reports: string[];
let fails: boolean;

const events: PendingEvents = {
  ready: (pending, speaks, serverName) => {
    if (fails) throw new Error('ready');
    reports.push(`ready ${speaks} "${serverName}" from ${pending.remoteAddress}`);
  },
  refused: ({ peerAddress }, reason) => void reports.push(`refused ${reason} ${peerAddress}`),
  left: (begun) => void reports.push(begun ? 'left after bytes' : 'left'),
  cut: (_, reason) => void reports.push(`cut ${reason}`),
  crashed: (error) => void reports.push(`crashed ${(error as Error).message}`),
};

beforeEach(() => {
  nowMs = 0;
  reports = [];
  fails = false;
  deadlines = new Deadlines(() => nowMs);
  connections = new Connections({ clock: () => nowMs, deadlines, maxAgeMs: 0 });
});
afterEach(() => deadlines.close());

function begin(address?: string, changes: Partial<PendingOptions> = {}) {
  const socket = new FakeSocket(address);
  const pending = new PendingConnection(socket.socket, {
    connections,
    events,
    deadlineMs: nowMs + DEADLINE_MS,
    silentUntilMs: nowMs + SILENT_MS,
    balancers: new AddressList([readRange(BALANCER) as Range]),
    needsServerName: () => false,
    ...changes,
  });
  return { socket, pending };
}

function pass(ms: number): void {
  nowMs += ms;
  deadlines.sweep();
}

describe('the first bytes', () => {
  for (const [what, bytes, speaks] of [
    ['a TLS record', HELLO, 'tls'],
    ['a method', 'GET / HTTP/1.1\r\n', 'http'],
    ['a method in small letters', 'get', 'http'],
    ['a line end before a request line', '\r\nGET ', 'http'],
    ['anything else', '\0', 'other'],
    ['an alert', '\x15\x03\x01', 'other'],
  ] as const)
    test(`${what}: ${speaks}, told once, and put back`, () => {
      const { socket } = begin();
      socket.receive(bytes as string);
      socket.receive('more');
      assert.deepEqual(reports, [`ready ${speaks} "" from 192.0.2.7`]);
      assert.deepEqual(socket.putBack, [Buffer.from(bytes as string, 'latin1')]);
      assert.ok(socket.isPaused());
      assert.equal(connections.size, 1);
    });

  test('of TLS are kept until the server name is known, where it is needed', () => {
    const { socket } = begin(undefined, { needsServerName: () => true });
    socket.receive(HELLO);
    assert.deepEqual(reports, []);
    // The record that was announced is 200 bytes; a message that holds no extensions has no name.
    socket.receive(Buffer.alloc(205 - HELLO.length));
    assert.deepEqual(reports, ['ready tls "" from 192.0.2.7']);
    assert.equal(socket.putBack[0]?.length, 205);
  });

  test('that never come: cut at the deadline, not before, and once', async () => {
    const { socket } = begin();
    pass(DEADLINE_MS - 1);
    assert.equal(socket.destroyed, false);
    pass(1);
    await socket.gone;
    pass(DEADLINE_MS);
    assert.deepEqual([reports, connections.size], [['cut timeout'], 0]);
  });

  test('that come slowly do not move the deadline', () => {
    const { socket } = begin(undefined, { needsServerName: () => true });
    for (const byte of HELLO) {
      pass(DEADLINE_MS / 20);
      socket.receive(Buffer.of(byte));
    }
    pass(DEADLINE_MS / 2);
    assert.deepEqual(reports, ['cut timeout']);
  });
});

describe('a client that leaves', () => {
  test('without a byte is a probe', async () => {
    const { socket } = begin();
    socket.emit('end');
    await socket.gone;
    assert.deepEqual([reports, connections.size], [['left'], 0]);
  });

  test('in its first bytes has begun', async () => {
    const { socket } = begin(undefined, { needsServerName: () => true });
    socket.receive(HELLO);
    socket.destroy();
    await socket.gone;
    assert.deepEqual(reports, ['left after bytes']);
  });

  test('before it was looked at has no address, and is nobody', async () => {
    const { socket } = begin('');
    await socket.gone;
    assert.deepEqual(reports, ['left']);
  });

  test('in its handshake is not reported here', async () => {
    const { socket } = begin();
    socket.receive(HELLO);
    socket.destroy();
    await socket.gone;
    assert.deepEqual([reports, connections.size], [['ready tls "" from 192.0.2.7'], 0]);
  });
});

describe('a PROXY header', () => {
  const LINE = 'PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n';

  test('of a balancer names the client; what follows it is put back without it', () => {
    const { socket } = begin(BALANCER);
    socket.receive(LINE);
    assert.deepEqual(reports, []);
    socket.receive(HELLO);
    assert.deepEqual(reports, ['ready tls "" from 203.0.113.9']);
    assert.deepEqual(socket.putBack, [HELLO]);
  });

  test('of a balancer may come byte by byte, and with what follows it', () => {
    const { socket } = begin(BALANCER);
    for (const byte of LINE.slice(0, -1)) socket.receive(byte);
    socket.receive(Buffer.concat([Buffer.from('\n'), HELLO]));
    assert.deepEqual(reports, ['ready tls "" from 203.0.113.9']);
  });

  for (const [what, bytes, reason] of [
    ['that is missing', HELLO, 'no_proxy_header'],
    ['that is wrong', 'PROXY TCP9 x\r\n', 'bad_proxy_header'],
  ] as const)
    test(`of a balancer ${what} is refused`, async () => {
      const { socket } = begin(BALANCER);
      socket.receive(bytes as string);
      await socket.gone;
      assert.deepEqual([reports, connections.size], [[`refused ${reason} ${BALANCER}`], 0]);
    });

  test('of a balancer that never comes is refused at the deadline', () => {
    begin(BALANCER);
    pass(DEADLINE_MS);
    assert.deepEqual(reports, [`refused proxy_header_timeout ${BALANCER}`]);
  });

  test('after which nothing comes is a cut, or a probe', async () => {
    const [slow, probe] = [begin(BALANCER), begin(BALANCER)];
    for (const { socket } of [slow, probe]) socket.receive(LINE);
    probe.socket.emit('end');
    await probe.socket.gone;
    pass(DEADLINE_MS);
    assert.deepEqual(reports, ['left', 'cut timeout']);
  });

  test('of a balancer that breaks off is bad', async () => {
    const { socket } = begin(BALANCER);
    socket.receive(LINE.slice(0, 10));
    socket.emit('end');
    await socket.gone;
    assert.deepEqual(reports, [`refused bad_proxy_header ${BALANCER}`]);
  });

  test('of anybody else is refused, and a part of one is not taken for a method', () => {
    const { socket } = begin();
    socket.receive(LINE.slice(0, 3));
    assert.deepEqual(reports, []);
    socket.receive(LINE.slice(3));
    assert.deepEqual(reports, ['refused unexpected_proxy_header 192.0.2.7']);
  });
});

describe('what the registry tells it', () => {
  test('a change of the client CA cuts a handshake, and nothing before it', async () => {
    const [reading, handshake] = [begin(), begin()];
    handshake.socket.receive(HELLO);
    connections.revokeAll();
    await handshake.socket.gone;
    assert.equal(reading.socket.destroyed, false);
    assert.deepEqual(reports.slice(1), ['cut client_ca_changed']);
  });

  test('a drain closes what goes on to say nothing, and lets the rest finish', async () => {
    const [silent, begun, handshake] = [begin(), begin(undefined, { needsServerName: () => true }), begin()];
    begun.socket.receive(HELLO);
    handshake.socket.receive(HELLO);
    void connections.drain();
    pass(SILENT_MS - 1);
    assert.equal(silent.socket.destroyed, false);
    pass(1);
    await silent.socket.gone;
    assert.deepEqual([begun.socket.destroyed, handshake.socket.destroyed], [false, false]);
    assert.deepEqual(reports, ['ready tls "" from 192.0.2.7', 'left']);
  });

  test('a client whose first bytes were on their way at a drain has all of its time', () => {
    const { socket } = begin();
    void connections.drain();
    socket.receive(HELLO);
    pass(SILENT_MS);
    assert.equal(socket.destroyed, false);
    pass(DEADLINE_MS);
    assert.deepEqual(reports.slice(1), ['cut timeout']);
  });

  test('an age is nothing to it', () => {
    const { pending, socket } = begin();
    pending.retire();
    assert.equal(socket.destroyed, false);
  });

  test('a handshake ends at the deadline that covered its first bytes', () => {
    const { socket } = begin();
    pass(DEADLINE_MS - 1);
    socket.receive(HELLO);
    pass(1);
    assert.deepEqual(reports.slice(1), ['cut timeout']);
  });
});

describe('settle', () => {
  test('is true once, and never after we have ended the connection', () => {
    const [ours, theirs] = [begin(), begin()];
    for (const { socket } of [ours, theirs]) socket.receive(HELLO);
    assert.deepEqual([theirs.pending.settle(), theirs.pending.settle()], [true, false]);
    pass(DEADLINE_MS);
    assert.equal(ours.pending.settle(), false);
    assert.deepEqual(reports.slice(2), ['cut timeout']);
  });

  test('of a handshake that was cut at the stop reports nothing more', () => {
    const { socket, pending } = begin();
    socket.receive(HELLO);
    assert.equal(connections.destroyAll(), 1);
    assert.equal(pending.settle(), false);
    assert.deepEqual(reports.slice(1), []);
  });
});

test('a throw ends its connection, is reported, and no other one notices', async () => {
  const [broken, other] = [begin(), begin()];
  fails = true;
  broken.socket.receive(HELLO);
  fails = false;
  await broken.socket.gone;
  other.socket.receive(HELLO);
  assert.deepEqual(reports, ['crashed ready', 'ready tls "" from 192.0.2.7']);
  assert.equal(connections.size, 1);
});
