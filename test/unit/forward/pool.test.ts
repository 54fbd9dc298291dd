// The connections to the app: when one is dialled, lent, taken back and closed. Real sockets, on a clock that the test holds.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import type { Rejection } from '../../../src/errors.ts';
import type { Borrower } from '../../../src/forward/borrower.ts';
import type { ShareOptions } from '../../../src/forward/shares.ts';
import type { Lender, Receiver, Transport } from '../../../src/forward/transport.ts';
import type { TunnelEnd } from '../../../src/forward/tunnel.ts';
import type { ForwardLimits } from '../../../src/forward/upstream.ts';
import { createWire } from '../../../src/forward/wire/wire.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import type { UpstreamAddress } from '../../../src/net/addresses.ts';
import { Budget } from '../../../src/net/budget.ts';
import { Deadlines } from '../../../src/net/deadlines.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

const LIMITS: ForwardLimits = {
  connectTimeoutMs: 5000,
  upstreamTimeoutMs: 60_000,
  idleTimeoutMs: 4000,
  maxConnections: 2,
  maxHeaderBytes: 8192,
  maxFields: 64,
};
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** An app on a free port that keeps every connection and answers when it is told. */
class App {
  readonly sockets: Socket[] = [];
  readonly server: Server;
  readonly #waiting: (() => void)[] = [];

  private constructor() {
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', () => this.#wake());
      socket.on('close', () => this.#wake());
      this.#wake();
    });
  }

  static async open(
    at: { port: number; host: string } | { path: string } = { port: 0, host: '127.0.0.1' },
  ): Promise<App> {
    const app = new App();
    await new Promise<void>((resolve) => void app.server.listen(at, resolve));
    return app;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get openSockets(): number {
    return this.sockets.filter((socket) => !socket.destroyed).length;
  }

  /** Resolves when the condition holds; it is looked at whenever a connection, bytes or a close come. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  /** The i-th connection, once its n-th byte has come. */
  async requested(i: number, bytes = 1): Promise<Socket> {
    await this.until(() => (this.sockets[i]?.bytesRead ?? 0) >= bytes);
    return this.sockets[i] as Socket;
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => void this.server.close(() => resolve()));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Borrows, sends a GET on what it is lent, and writes down what becomes of it. */
class Client implements Borrower<Transport>, Receiver {
  lasts = false;
  readonly lasting: boolean;
  readonly client: string;
  readonly clientConnection: object = {};
  readonly upgrades: boolean;
  readonly waited: boolean;
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  connection: Transport | undefined = undefined;
  deniedTimes = 0;
  /** How often it was asked to yield, and whether it does. */
  yields = 0;
  lags = false;
  body = '';
  readonly outcome: Promise<'answered' | 'switched' | Rejection['reason']>;
  #settle: (outcome: 'answered' | 'switched' | Rejection['reason']) => void = () => {};

  constructor(wants: 'any' | 'fresh' | 'upgrade', client: string) {
    this.client = client;
    this.waited = wants === 'fresh';
    this.upgrades = wants === 'upgrade';
    this.lasting = this.upgrades;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  lend(connection: Transport): boolean {
    this.connection = connection;
    const exchange = new FakeExchange({ headers: ['Host', 'a'] });
    exchange.upgrade = this.upgrades ? 'x' : undefined;
    connection.send(exchange, this);
    return true;
  }
  yield(): void {
    this.yields++;
    if (this.lags) this.connection?.abandon();
  }
  denied(): void {
    this.deniedTimes++;
  }
  expire(): void {}
  connected(): void {}
  interim(): void {}
  answerHead(): void {}
  answerBody(chunk: Buffer): void {
    this.body += chunk.toString();
  }
  answerEnd(): void {
    this.#settle('answered');
  }
  settle(): void {}
  appDrained(): void {}
  failed(rejection: Rejection): void {
    this.#settle(rejection.reason);
  }
  crashed(error: unknown): void {
    throw error;
  }
  switched(_reason: string, _raw: RawHeaders, { stream }: TunnelEnd): void {
    stream.resume().on('end', () => stream.end());
    this.#settle('switched');
  }
}

let app: App;
let nowMs: number;
const pass = (ms: number): void => {
  nowMs += ms;
  mock.timers.tick(ms);
};

beforeEach(async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] });
  nowMs = 1000;
  app = await App.open();
});
afterEach(() => app.close());

function poolOf(
  limits: Partial<ForwardLimits> = {},
  upstream: UpstreamAddress = { kind: 'tcp', host: '127.0.0.1', port: app.port },
  share?: ShareOptions,
): Lender {
  const deadlines = new Deadlines(() => nowMs);
  const crashed = (error: unknown): never => {
    throw error;
  };
  const account = new Budget({ bytes: 64 << 20, percent: 50 }).shared;
  return createWire({
    upstream,
    limits: { ...LIMITS, ...limits },
    clock: () => nowMs,
    deadlines,
    crashed,
    share,
    account,
  });
}

function borrow(pool: Lender, wants: 'any' | 'fresh' | 'upgrade' = 'any', name = 'a'): Client {
  const client = new Client(wants, name);
  pool.borrow(client);
  return client;
}

/** An exchange from its start to its end; `i` is the connection that the app sees it on. */
async function exchange(pool: Lender, i: number, answer = OK): Promise<Client> {
  const before = app.sockets[i]?.bytesRead ?? 0;
  const client = borrow(pool);
  (await app.requested(i, before + 1)).write(answer);
  assert.equal(await client.outcome, 'answered');
  return client;
}

describe('a connection', () => {
  test('is dialled when it is needed, and not before', async () => {
    const pool = poolOf();
    assert.equal(app.sockets.length, 0);
    const client = await exchange(pool, 0);
    assert.deepEqual([app.sockets.length, client.body], [1, 'ok']);
  });

  test('that is free is lent again', async () => {
    const pool = poolOf();
    const first = await exchange(pool, 0);
    const second = await exchange(pool, 0);
    assert.equal(second.connection, first.connection);
    assert.equal(app.sockets.length, 1);
  });

  test('that was given back last is lent first', async () => {
    const pool = poolOf();
    const [a, b] = [borrow(pool), borrow(pool)];
    const [onA, onB] = [await app.requested(0), await app.requested(1)];
    assert.notEqual(a.connection, b.connection);
    // Which of the two sockets belongs to whom is the system's choice: answered one by one, in either order.
    onA.write(OK);
    const first = await Promise.race([a.outcome.then(() => a), b.outcome.then(() => b)]);
    onB.write(OK);
    await Promise.all([a.outcome, b.outcome]);
    const last = first === a ? b : a;
    assert.equal(borrow(pool).connection, last.connection);
    assert.equal(borrow(pool).connection, first.connection);
  });

  test('that must be fresh is dialled, though one is free', async () => {
    const pool = poolOf();
    const first = await exchange(pool, 0);
    const fresh = borrow(pool, 'fresh');
    assert.notEqual(fresh.connection, first.connection);
    (await app.requested(1)).write(OK);
    assert.equal(await fresh.outcome, 'answered');
    assert.equal(app.openSockets, 2);
  });

  test('is dialled through a socket of the file system', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'pool-'));
    t.after(() => rmSync(dir, { recursive: true }));
    await app.close();
    const path = join(dir, 'app.sock');
    app = await App.open({ path });
    await exchange(poolOf({}, { kind: 'unix', path }), 0);
  });

  test('is dialled by the name localhost, again and again', async () => {
    const pool = poolOf({ idleTimeoutMs: 0 }, { kind: 'tcp', host: 'localhost', port: app.port });
    for (let i = 0; i < 3; i++) await exchange(pool, i);
  });

  test('that is refused is told as upstream_refused', async () => {
    const pool = poolOf();
    await app.close();
    assert.equal(await borrow(pool).outcome, 'upstream_refused');
  });

  test('that does not come within the connect time-out is told so', async () => {
    const client = borrow(poolOf());
    pass(4999);
    // Nothing can have connected within this turn.
    pass(251);
    assert.equal(await client.outcome, 'upstream_connect_timeout');
  });
});

describe('a connection is not used again', () => {
  const rows: readonly (readonly [what: string, answer: string])[] = [
    ['when the app says close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
    ['after HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['when more came than was asked for', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON`],
    ['when a byte too many came', `${OK}\n`],
    ['when an answer without a body had one', 'HTTP/1.1 204 No Content\r\n\r\nPOISON'],
    [
      'when the app keeps it for no longer than a second',
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n',
    ],
    ['when the app keeps it for no time', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 0\r\n\r\n'],
    ['when bytes follow the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX'],
  ];
  for (const [what, answer] of rows) {
    test(what, async () => {
      const pool = poolOf();
      await exchange(pool, 0, answer);
      await app.until(() => app.sockets[0]?.destroyed === true);
      const next = await exchange(pool, 1);
      assert.equal(next.body, 'ok');
    });
  }

  test('when none is to be kept', async () => {
    const pool = poolOf({ idleTimeoutMs: 0 });
    await exchange(pool, 0);
    await app.until(() => app.sockets[0]?.destroyed === true);
    await exchange(pool, 1);
  });

  test('when the app closes it while it is free', async () => {
    const pool = poolOf();
    await exchange(pool, 0);
    app.sockets[0]?.end();
    await app.until(() => app.sockets[0]?.destroyed === true);
    await exchange(pool, 1);
  });

  test('when the app says something unasked while it is free (CVE-2026-48931)', async () => {
    const pool = poolOf();
    await exchange(pool, 0);
    app.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON');
    await app.until(() => app.sockets[0]?.destroyed === true);
    assert.equal((await exchange(pool, 1)).body, 'ok');
  });

  test('when it was free for the idle time-out', async () => {
    const pool = poolOf();
    await exchange(pool, 0);
    pass(3999);
    assert.equal(app.openSockets, 1);
    pass(251);
    await app.until(() => app.openSockets === 0);
    await exchange(pool, 1);
  });

  test('a second before the app would close it', async () => {
    const pool = poolOf();
    await exchange(pool, 0, 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n');
    pass(1900);
    assert.equal(app.openSockets, 1);
    pass(350);
    await app.until(() => app.openSockets === 0);
  });

  test('when it was destroyed in the midst of an exchange', async () => {
    const pool = poolOf();
    const client = borrow(pool);
    const socket = await app.requested(0);
    client.connection?.abandon();
    await app.until(() => socket.destroyed);
    await exchange(pool, 1);
  });
});

describe('the cap', () => {
  test('lets nobody have more connections than it says; the next waits for one, in order', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const [first, second, third] = [borrow(pool), borrow(pool), borrow(pool)];
    assert.deepEqual([second.connection, third.connection], [undefined, undefined]);
    const socket = await app.requested(0);
    for (const [client, next] of [
      [first, second],
      [second, third],
    ] as const) {
      const before = socket.bytesRead;
      socket.write(OK);
      assert.equal(await client.outcome, 'answered');
      assert.equal(next.connection, first.connection);
      await app.until(() => socket.bytesRead > before);
    }
    socket.write(OK);
    assert.equal(await third.outcome, 'answered');
    assert.equal(app.sockets.length, 1);
  });

  test('gives who waits a new connection when one is lost', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const [first, second] = [borrow(pool), borrow(pool)];
    (await app.requested(0)).destroy();
    assert.equal(await first.outcome, 'upstream_closed');
    (await app.requested(1)).write(OK);
    assert.equal(await second.outcome, 'answered');
  });

  test('leaves one in ten to others, where all that one client has may last for ever', async () => {
    const pool = poolOf({ maxConnections: 20 }, undefined, { percent: 100, refused: () => {} });
    const lasting = Array.from({ length: 19 }, () => borrow(pool, 'upgrade'));
    assert.equal(lasting.filter(({ connection }) => connection !== undefined).length, 18);
    const others = [borrow(pool), borrow(pool)];
    assert.ok(others.every(({ connection }) => connection !== undefined));
    assert.equal(lasting[18]?.connection, undefined);
    lasting[0]?.connection?.abandon();
    assert.notEqual(lasting[18]?.connection, undefined);
  });

  test('closes a free connection for one that must be fresh', async () => {
    const pool = poolOf({ maxConnections: 1 });
    await exchange(pool, 0);
    borrow(pool, 'fresh');
    await app.requested(1);
    await app.until(() => app.openSockets === 1);
  });

  test('forgets who does not wait any more', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const [first, second, third] = [borrow(pool), borrow(pool), borrow(pool)];
    pool.forget(second);
    (await app.requested(0)).write(OK);
    assert.equal(await first.outcome, 'answered');
    assert.deepEqual([second.connection, third.connection], [undefined, first.connection]);
  });

  test('tells who has waited for the connect time-out, once, and lends nothing to them later', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const first = borrow(pool);
    const socket = await app.requested(0);
    const second = borrow(pool);
    pass(2500);
    const third = borrow(pool);
    pass(2400);
    assert.deepEqual([second.deniedTimes, third.deniedTimes], [0, 0]);
    pass(350);
    assert.deepEqual([second.deniedTimes, third.deniedTimes], [1, 0]);
    socket.write(OK);
    assert.equal(await first.outcome, 'answered');
    assert.deepEqual([second.connection, third.connection], [undefined, first.connection]);
    pass(10_000);
    assert.deepEqual([second.deniedTimes, third.deniedTimes], [1, 0]);
  });

  test('counts a connection that became a tunnel, until it is closed', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const upgraded = borrow(pool, 'upgrade');
    const socket = await app.requested(0);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    assert.equal(await upgraded.outcome, 'switched');
    const waiting = borrow(pool);
    assert.equal(waiting.connection, undefined, 'a second connection beside the tunnel');
    socket.destroy();
    (await app.requested(1)).write(OK);
    assert.equal(await waiting.outcome, 'answered');
  });

  test('lets an upgrade wait as everybody does, and gives it a new connection', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const first = borrow(pool);
    const socket = await app.requested(0);
    const upgraded = borrow(pool, 'upgrade');
    assert.equal(upgraded.connection, undefined);
    socket.write(OK);
    assert.equal(await first.outcome, 'answered');
    await app.requested(1);
    assert.notEqual(upgraded.connection, first.connection);
    await app.until(() => app.openSockets === 1);
  });

  test('is kept through many exchanges, and no connection is dialled without need', async () => {
    const pool = poolOf({ maxConnections: 2 });
    let most = 0;
    app.server.on('connection', (socket) => {
      most = Math.max(most, app.openSockets);
      socket.on('data', () => socket.write(OK));
    });
    const clients = Array.from({ length: 50 }, () => borrow(pool));
    assert.deepEqual(new Set(await Promise.all(clients.map(({ outcome }) => outcome))), new Set(['answered']));
    assert.deepEqual([most <= 2, app.sockets.length], [true, 2]);
  });
});

describe('a share', () => {
  const shared = (maxConnections: number, percent = 50): { pool: Lender; refusals: () => number } => {
    let refusals = 0;
    const pool = poolOf({ maxConnections }, undefined, { percent, refused: () => refusals++ });
    return { pool, refusals: () => refusals };
  };
  const many = (pool: Lender, count: number, name: string): Client[] =>
    Array.from({ length: count }, () => borrow(pool, 'any', name));
  const served = (clients: readonly Client[]): number =>
    clients.filter(({ connection }) => connection !== undefined).length;

  test('is all for a client that is alone', () => assert.equal(served(many(shared(4).pool, 5, 'a')), 4));

  test('lets others have what becomes free, until they have as much', async () => {
    const { pool } = shared(4);
    const first = many(pool, 8, 'a');
    const others = many(pool, 4, 'b');
    for (let i = 0; i < 4; i++) (await app.requested(i)).write(OK);
    await Promise.all(first.slice(0, 4).map(({ outcome }) => outcome));
    assert.deepEqual([served(first.slice(4)), served(others)], [2, 2]);
  });

  test('is counted down by every end', async () => {
    const { pool } = shared(2);
    for (const end of ['answer', 'abandon', 'close'] as const) {
      const seen = app.sockets.length;
      const held = many(pool, 2, 'a');
      await app.until(() => app.openSockets >= 2);
      const waiting = [borrow(pool, 'any', 'a'), borrow(pool, 'any', 'b')];
      if (end === 'abandon') held[0]?.connection?.abandon();
      else if (end === 'close') app.sockets.findLast((socket) => !socket.destroyed)?.destroy();
      else (await app.requested(seen)).write(OK);
      await app.until(() => served(waiting) === 1);
      assert.equal(waiting[1]?.connection === undefined, false, 'the other client comes first');
      for (const client of [...held, ...waiting]) {
        pool.forget(client);
        client.connection?.abandon();
      }
      await app.until(() => app.openSockets === 0);
    }
    assert.equal(served(many(pool, 3, 'a')), 2);
  });

  test('makes those that lag give back, no more of them than others wait', async () => {
    const { pool } = shared(4);
    const held = many(pool, 4, 'a');
    for (const [i, client] of held.entries()) client.lags = i > 0;
    const own = borrow(pool, 'any', 'a');
    pass(250);
    assert.equal(held[0]?.yields, 0, 'nobody else waits');
    const other = borrow(pool, 'any', 'b');
    pass(250);
    assert.deepEqual([own.connection, other.connection === undefined], [undefined, false]);
    assert.deepEqual(
      held.map(({ yields }) => yields),
      [1, 1, 0, 0],
    );
  });

  test('makes nobody give back who has less, nor anybody for a client that has as much', () => {
    const { pool } = shared(4);
    const held = [...many(pool, 2, 'a'), ...many(pool, 1, 'b'), ...many(pool, 1, 'c')];
    for (const client of held) client.lags = true;
    const own = borrow(pool, 'any', 'a');
    pass(250);
    assert.deepEqual(
      held.map(({ yields }) => yields),
      [0, 0, 0, 0],
    );
    pool.forget(own);
    const other = borrow(pool, 'any', 'c');
    pass(250);
    assert.equal(other.connection === undefined, false);
    assert.deepEqual(
      held.map(({ yields }) => yields),
      [1, 0, 0, 0],
    );
  });

  test('of those refused is told, not of others', () => {
    const { pool, refusals } = shared(4);
    many(pool, 4, 'a');
    const [own, other] = [borrow(pool, 'any', 'a'), borrow(pool, 'any', 'b')];
    pass(5250);
    assert.deepEqual([own.deniedTimes, other.deniedTimes, refusals()], [1, 1, 1]);
  });
});

describe('the end', () => {
  test('closes what is free at once, and what is in use after its exchange', async () => {
    const pool = poolOf();
    const [a, b] = [borrow(pool), borrow(pool)];
    await app.requested(0);
    await app.requested(1);
    app.sockets[0]?.write(OK);
    await Promise.race([a.outcome, b.outcome]);
    pool.close();
    await app.until(() => app.openSockets === 1);
    app.sockets[1]?.write(OK);
    assert.deepEqual(await Promise.all([a.outcome, b.outcome]), ['answered', 'answered']);
    await app.until(() => app.openSockets === 0);
  });

  test('still serves who waits', async () => {
    const pool = poolOf({ maxConnections: 1 });
    const [first, second] = [borrow(pool), borrow(pool)];
    const socket = await app.requested(0);
    pool.close();
    socket.write(OK);
    assert.equal(await first.outcome, 'answered');
    (await app.requested(1)).write(OK);
    assert.equal(await second.outcome, 'answered');
    await app.until(() => app.openSockets === 0);
  });
});
