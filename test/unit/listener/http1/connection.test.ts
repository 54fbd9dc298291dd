// One HTTP/1.x connection without a network, on a clock that the test holds: who owes what, how it ends, and that a defect in any
// of its callbacks ends it alone.
import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import type { ClientIdentity } from '../../../../src/clients/certificate.ts';
import type { Carrier, Exchange } from '../../../../src/exchange.ts';
import { Http1Connection } from '../../../../src/listener/http1/connection.ts';
import { Budget } from '../../../../src/net/budget.ts';
import { FakeCarrier, handlerOf } from './fake-handler.ts';
import { FakeSocket, turn } from './fake-socket.ts';

const LIMITS = {
  handshakeTimeoutMs: 10_000,
  headerTimeoutMs: 10_000,
  clientTimeoutMs: 60_000,
  minBodyRate: 240,
  idleTimeoutMs: 75_000,
  maxHeaderBytes: 200 * 1024,
  maxFields: 256,
  maxConnectionAgeMs: 0,
  lingerMs: 2000,
};
const GET = 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n';
const CHUNKED = 'POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n';
const EXPECTS = 'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
const VERIFIED: ClientIdentity = {
  kind: 'verified',
  certificate: { name: 'spiffe://x/y' } as (ClientIdentity & { kind: 'verified' })['certificate'],
};

type Options = {
  readonly forward?: (exchange: Exchange, carrier: FakeCarrier) => void;
  readonly client?: ClientIdentity;
};

function begin({ forward = (exchange, carrier) => exchange.carry(carrier), client }: Options = {}) {
  const socket = new FakeSocket();
  const carrier = new FakeCarrier();
  const handled = handlerOf((exchange) => forward(exchange, carrier));
  const open = new Set<unknown>();
  const connections = {
    announced: false,
    draining: false,
    isFresh: () => false,
    add: (connection: unknown) => void open.add(connection),
    delete: (connection: unknown) => void open.delete(connection),
    idle() {},
    busy() {},
  };
  const clock = { nowMs: 1000 };
  const account = new Budget({ bytes: 64 << 20, percent: 50 }).open('192.0.2.7');
  const connection = new Http1Connection(
    socket,
    { remoteAddress: '192.0.2.7', peerAddress: '192.0.2.7', tls: undefined, client, account },
    { handler: handled.handler, limits: LIMITS, connections, clock: () => clock.nowMs },
  );
  /** Time passes as the sweep sees it, until the connection has gone; says after how long that was. */
  const pass = async (ms: number, each: () => void | Promise<void> = () => {}): Promise<number> => {
    const from = clock.nowMs;
    while (clock.nowMs - from < ms && !socket.destroyed) {
      clock.nowMs += 250;
      await each();
      if (connection.deadlineMs <= clock.nowMs) connection.expire();
    }
    await turn();
    return clock.nowMs - from;
  };
  const exchange = (at = 0): Exchange => {
    const found = handled.exchanges[at];
    assert.ok(found, `no exchange ${at}`);
    return found;
  };
  return { socket, carrier, connection, connections, open, clock, pass, exchange, ...handled };
}

/** More than a stream takes before it says that it is full. */
const MUCH = Buffer.alloc(64 * 1024, 'x');
const answer = (exchange: Exchange, length: number): void => exchange.answer(200, 'OK', [], length);

describe('exchanges of one connection', () => {
  test('follow each other, pipelined ones too, in the order of their requests', async () => {
    const run = begin();
    await run.socket.send(GET.replace('/ ', '/1 ') + GET.replace('/ ', '/2 '));
    assert.equal(run.exchanges.length, 1);
    answer(run.exchange(), 0);
    run.exchange().end(undefined);
    assert.equal(run.exchange(1).target, '/2');
    answer(run.exchange(1), 0);
    run.exchange(1).end(undefined);
    await turn();
    assert.equal(run.socket.sent.match(/HTTP\/1.1 200/g)?.length, 2);
    assert.deepEqual(run.finished, run.exchanges);
    assert.equal(run.socket.destroyed, false);
  });

  test('follow an upload that its app answers the moment it is whole', async () => {
    const run = begin({
      forward(exchange, carrier) {
        if (exchange.method === 'GET') return;
        carrier.bodyEnd = () => {
          answer(exchange, 0);
          exchange.end(undefined);
        };
        exchange.carry(carrier);
      },
    });
    await run.socket.send(`${CHUNKED}1\r\na\r\n0\r\n\r\n${GET}`);
    assert.deepEqual([run.carrier.received, run.exchanges.length], ['a', 2]);
    assert.equal(run.socket.isPaused(), false);
  });

  test('are held back by an answer that the client does not take', async () => {
    const run = begin();
    await run.socket.send(GET + GET);
    run.socket.takes = false;
    answer(run.exchange(), MUCH.length);
    run.exchange().write(MUCH);
    run.exchange().end(undefined);
    await turn();
    assert.equal(run.exchanges.length, 1);
    run.socket.takes = true;
    run.socket.takeAll();
    await turn();
    assert.equal(run.exchanges.length, 2);
  });
});

describe('a client that does not read', () => {
  test('and sends chunks of one byte is cut after the time-out, and the app goes on taking them until then', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    run.socket.takes = false;
    answer(run.exchange(), -1);
    run.exchange().write(MUCH);
    assert.equal(run.exchange().flush(), false);
    const tookMs = await run.pass(500_000, async () => {
      await run.socket.send('1\r\na\r\n');
      run.exchange().write(Buffer.from('more'));
      run.exchange().flush();
    });
    assert.ok(tookMs >= LIMITS.clientTimeoutMs && tookMs <= 1.25 * LIMITS.clientTimeoutMs, `cut after ${tookMs} ms`);
    assert.match(run.carrier.received, /^a{200,}$/);
    assert.equal(run.carrier.calls.at(-1), 'gone');
    assert.deepEqual([run.finished[0]?.rejection?.reason, run.open.size], ['client_timeout', 0]);
  });

  test('has no time-out where it goes on taking, though the socket is never drained', async () => {
    const run = begin();
    await run.socket.send(GET);
    run.socket.takes = false;
    answer(run.exchange(), MUCH.length);
    run.exchange().write(MUCH);
    run.exchange().end(undefined);
    await run.pass(600_000, () => run.socket.sip(1));
    assert.deepEqual([run.socket.destroyed, run.carrier.calls.includes('drained')], [false, false]);
  });

  test('is cut while its connection is being closed, too', async () => {
    const run = begin();
    await run.socket.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    run.socket.takes = false;
    answer(run.exchange(), MUCH.length);
    run.exchange().write(MUCH);
    run.exchange().end(undefined);
    const tookMs = await run.pass(500_000);
    assert.ok(tookMs >= LIMITS.clientTimeoutMs && tookMs <= 1.25 * LIMITS.clientTimeoutMs, `cut after ${tookMs} ms`);
  });

  test('is not answered with a 408 that it would not read', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    run.socket.takes = false;
    for (let i = 0; i < 1000; i++) run.exchange().inform(103, ['Link', 'x'.repeat(100)]);
    await run.pass(500_000, () => run.socket.send('1\r\na\r\n'));
    assert.equal(run.socket.destroyed, true);
    assert.deepEqual([run.finished[0]?.status, run.finished[0]?.rejection?.reason], [408, 'client_timeout']);
  });
});

describe('a client that awaits a 100', () => {
  test('owes nothing before it', async () => {
    const run = begin();
    await run.socket.send(EXPECTS);
    assert.equal(await run.pass(1_000_000), 1_000_000);
    assert.equal(run.connection.deadlineMs, Number.POSITIVE_INFINITY);
  });

  test('owes its body after it, and no other interim answer changes that', async () => {
    const run = begin();
    await run.socket.send(EXPECTS);
    run.exchange().inform(103, []);
    assert.equal(run.connection.deadlineMs, Number.POSITIVE_INFINITY);
    run.exchange().inform(100, []);
    assert.equal(run.exchange().awaitsContinue, false);
    assert.equal(run.connection.deadlineMs, run.clock.nowMs + LIMITS.clientTimeoutMs);
    await run.pass(LIMITS.clientTimeoutMs);
    assert.match(run.socket.sent, /HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 408 /);
  });

  test('owes the rest once it has sent a byte without waiting', async () => {
    const run = begin();
    await run.socket.send(EXPECTS);
    await run.socket.send('a');
    assert.equal(run.exchange().awaitsContinue, false);
    assert.equal(run.connection.deadlineMs, run.clock.nowMs + LIMITS.clientTimeoutMs);
    await run.socket.send('bcde');
    assert.deepEqual(run.carrier.calls, ['body 1', 'body 4', 'end']);
    assert.equal(run.connection.deadlineMs, Number.POSITIVE_INFINITY);
  });
});

describe('a body that moves more slowly than the least rate', () => {
  const dribbled = { ms: LIMITS.clientTimeoutMs };

  test('is a 408 after the time-out, though it never stands still', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    let tookMs = 0;
    await run.pass(dribbled.ms * 2, async () => {
      await run.socket.send('1\r\na\r\n');
      if (run.socket.sent === '') tookMs += 250;
    });
    assert.match(run.socket.sent, /^HTTP\/1.1 408 /);
    assert.ok(tookMs <= dribbled.ms, `after ${tookMs} ms`);
    assert.equal(run.finished[0]?.rejection?.reason, 'client_timeout');
  });

  test('lags before that, and no more where it moves', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    const lagging: boolean[] = [run.exchange().lags];
    await run.pass(1000);
    lagging.push(run.exchange().lags);
    await run.socket.send(`1000\r\n${'a'.repeat(4096)}\r\n`);
    lagging.push(run.exchange().lags);
    assert.deepEqual(lagging, [false, true, false]);
  });

  for (const [what, edit] of [
    ['an event stream', { patient: true }],
    ['gRPC', { grpc: true }],
  ] as const) {
    test(`goes on in ${what}`, async () => {
      const run = begin();
      await run.socket.send(CHUNKED);
      Object.assign(run.exchange(), edit);
      await run.pass(dribbled.ms * 3, () => run.socket.send('1\r\na\r\n'));
      assert.deepEqual([run.socket.sent, run.exchange().lags], ['', false]);
    });
  }

  test('of an answer is a cut', async () => {
    const run = begin();
    await run.socket.send(GET);
    run.socket.takes = false;
    answer(run.exchange(), 4 * MUCH.length);
    run.exchange().write(MUCH);
    run.exchange().flush();
    const tookMs = await run.pass(600_000, () => run.socket.sip(1));
    assert.deepEqual([tookMs, run.finished[0]?.rejection?.reason], [LIMITS.clientTimeoutMs, 'client_timeout']);
    assert.equal(run.carrier.calls.at(-1), 'gone');
  });

  test('of an answer goes on where it is fast enough', async () => {
    const run = begin();
    await run.socket.send(GET);
    run.socket.takes = false;
    answer(run.exchange(), 4 * MUCH.length);
    run.exchange().write(MUCH);
    run.exchange().flush();
    await run.pass(600_000, () => run.socket.sip(60));
    assert.deepEqual([run.socket.destroyed, run.exchange().lags], [false, false]);
  });
});

describe('a body', () => {
  test('that the app does not want for a while is not owed', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    run.exchange().pauseBody();
    assert.deepEqual([run.connection.deadlineMs, run.socket.isPaused()], [Number.POSITIVE_INFINITY, true]);
    run.exchange().resumeBody();
    assert.equal(run.connection.deadlineMs, run.clock.nowMs + LIMITS.clientTimeoutMs);
    assert.equal(run.socket.isPaused(), false);
  });

  test('that nobody carries yet waits, with at most a head and one read of it', async () => {
    const run = begin({ forward: () => {} });
    await run.socket.send(CHUNKED);
    for (let i = 0; i < 20 && !run.socket.isPaused(); i++) await run.socket.send(`4000\r\n${'a'.repeat(16_384)}\r\n`);
    assert.equal(run.socket.isPaused(), true);
    const carrier = new FakeCarrier();
    run.exchange().carry(carrier);
    assert.ok(carrier.received.length > LIMITS.maxHeaderBytes - 16_384);
    assert.equal(run.socket.isPaused(), false);
  });

  test('that stops gets a 408, and the carrier is told before', async () => {
    const run = begin();
    await run.socket.send(`${CHUNKED}1\r\na\r\n`);
    await run.pass(LIMITS.clientTimeoutMs);
    assert.match(run.socket.sent, /^HTTP\/1.1 408 /);
    assert.deepEqual(run.carrier.calls, ['body 1', 'gone']);
    assert.equal(run.finished.length, 1);
  });
});

describe('a connection that is left', () => {
  test('ends its direction, drops what still comes, and is gone after the linger time', async () => {
    const run = begin();
    await run.socket.send('GET / HTTP/0.9\r\n\r\n');
    assert.match(run.socket.sent, /^HTTP\/1.1 505 [\s\S]*Connection: close/);
    assert.equal(run.socket.writableEnded, true);
    for (let i = 0; i < 10; i++) await run.socket.send(MUCH);
    assert.equal(run.socket.readableLength, 0);
    assert.equal(await run.pass(60_000), LIMITS.lingerMs);
    assert.equal(run.open.size, 0);
  });

  test('is gone as soon as its client has closed', async () => {
    const run = begin();
    await run.socket.send('GET / HTTP/0.9\r\n\r\n');
    await run.socket.send(null);
    assert.equal(run.socket.destroyed, true);
    assert.equal(run.open.size, 0);
  });
});

describe('a client that leaves', () => {
  test('in the middle of an exchange is named once, and the carrier is told', async () => {
    const run = begin();
    await run.socket.send(`${CHUNKED}1\r\na\r\n`);
    await run.socket.send(null);
    assert.deepEqual(run.carrier.calls, ['body 1', 'gone']);
    const [exchange] = run.finished;
    assert.deepEqual([exchange?.rejection?.reason, exchange?.status, run.finished.length], ['client_gone', 499, 1]);
  });
});

describe('a connection that is told to go', () => {
  test('goes at once when nothing is in flight', async () => {
    const run = begin();
    run.connection.retire();
    assert.equal(run.socket.writableEnded, true);
  });

  test('goes after what is in flight, and says so', async () => {
    const run = begin();
    await run.socket.send(GET);
    run.connection.retire();
    assert.equal(run.socket.writableEnded, false);
    answer(run.exchange(), 0);
    run.exchange().end(undefined);
    await turn();
    assert.match(run.socket.sent, /Connection: close/);
    assert.equal(run.socket.writableEnded, true);
  });
});

describe('a tunnel', () => {
  const upgrade = async (client?: ClientIdentity) => {
    const run = begin(client === undefined ? {} : { client });
    await run.socket.send(
      'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\nfirst',
    );
    const stream = run.exchange().switchProtocols('Switching Protocols', []);
    return { ...run, stream };
  };

  test('begins with what was read already', async () => {
    const { stream, socket } = await upgrade();
    assert.equal(String(stream.read()), 'first');
    assert.match(socket.sent, /^HTTP\/1.1 101 /);
  });

  test('stays when its connection is told to go', async () => {
    const { connection, socket } = await upgrade(VERIFIED);
    connection.retire();
    await turn();
    assert.deepEqual([socket.destroyed, socket.writableEnded], [false, false]);
  });

  test('ends when its client was verified under a CA that is no longer trusted', async () => {
    const run = await upgrade(VERIFIED);
    run.connection.revoke();
    await turn();
    assert.equal(run.socket.destroyed, true);
    assert.deepEqual(run.carrier.calls, ['gone']);
    assert.deepEqual([run.finished[0]?.status, run.finished[0]?.rejection], [101, undefined]);
  });

  test('of a client without a certificate stays then', async () => {
    const run = await upgrade({ kind: 'none' });
    run.connection.revoke();
    await turn();
    assert.equal(run.socket.destroyed, false);
  });
});

describe('a defect in a callback', () => {
  const defect = new Error('a defect');
  const fail = (): never => {
    throw defect;
  };

  /** Ends the connection, alone, and tells of the defect and of the exchange once. */
  function assertContained(run: ReturnType<typeof begin>, exchanges = 1): void {
    assert.deepEqual(run.errors, [defect]);
    assert.deepEqual([run.socket.destroyed, run.open.size], [true, 0]);
    assert.equal(run.finished.length, exchanges);
    for (const exchange of run.finished) assert.equal(exchange.rejection?.reason, 'internal_error');
  }

  test('on data', async () => {
    const run = begin();
    run.carrier.onBody = fail;
    await run.socket.send(`${CHUNKED}1\r\na\r\n`);
    await turn();
    assertContained(run);
    assert.equal(run.carrier.calls.filter((call) => call === 'gone').length, 1);
  });

  test('on drain', async () => {
    const run = begin();
    run.carrier.drained = fail;
    await run.socket.send(GET);
    run.socket.takes = false;
    answer(run.exchange(), -1);
    run.exchange().write(MUCH);
    run.exchange().flush();
    run.socket.takes = true;
    run.socket.takeAll();
    await turn();
    assertContained(run);
  });

  test('on the release of what was written', async () => {
    const run = begin();
    await run.socket.send(GET);
    answer(run.exchange(), -1);
    run.exchange().write(MUCH, fail);
    await turn();
    assertContained(run);
  });

  test('on the close', async () => {
    const run = begin();
    run.carrier.gone = fail;
    await run.socket.send(GET);
    run.socket.destroy();
    await turn();
    assert.deepEqual([run.errors, run.open.size, run.finished.length], [[defect], 0, 1]);
  });

  test('at a deadline: whoever looks at it tells the connection', async () => {
    const run = begin();
    await run.socket.send(CHUNKED);
    run.carrier.gone = fail;
    run.clock.nowMs += LIMITS.clientTimeoutMs;
    assert.throws(() => run.connection.expire(), defect);
    run.connection.crashed(defect);
    await turn();
    assertContained(run);
  });

  test('even where the one who is told of it has another', async () => {
    const run = begin();
    run.carrier.onBody = fail;
    mock.method(run.handler, 'crashed', fail);
    await run.socket.send(`${CHUNKED}1\r\na\r\n`);
    await turn();
    assert.deepEqual([run.socket.destroyed, run.open.size], [true, 0]);
  });
});

test('what was lent for a write is given back in order, each once', async () => {
  const run = begin();
  await run.socket.send(GET);
  run.socket.takes = false;
  const released: number[] = [];
  answer(run.exchange(), -1);
  for (let i = 0; i < 4; i++) run.exchange().write(MUCH, () => void released.push(i));
  run.exchange().flush();
  assert.deepEqual(released, []);
  run.socket.takes = true;
  run.socket.takeAll();
  await turn();
  assert.deepEqual(released, [0, 1, 2, 3]);
});

test('a head in records of one byte is not searched or copied from its start for each', async (t) => {
  const run = begin();
  const head = `GET / HTTP/1.1\r\nHost: app.test\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
  let touched = 0;
  const { indexOf } = Buffer.prototype;
  const { concat } = Buffer;
  mock.method(Buffer.prototype, 'indexOf', function (this: Buffer, what: Buffer | number, from = 0) {
    touched += this.length - from;
    return indexOf.call(this, what, from);
  });
  mock.method(Buffer, 'concat', (list: readonly Buffer[]) => {
    for (const bytes of list) touched += bytes.length;
    return concat(list);
  });
  t.after(() => mock.restoreAll());
  for (const byte of Buffer.from(head)) run.socket.emit('data', Buffer.of(byte));
  assert.equal(run.exchanges.length, 1);
  assert.ok(touched < 20 * head.length, `${touched} bytes for ${head.length}`);
});

test('a carrier that comes when the client has left is told so', async () => {
  const run = begin({ forward: () => {} });
  await run.socket.send(GET);
  run.socket.destroy();
  await turn();
  const late: Carrier & { calls: string[] } = new FakeCarrier();
  run.exchange().carry(late);
  assert.deepEqual(late.calls, ['gone']);
});
