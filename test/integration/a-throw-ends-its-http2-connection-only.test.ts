// A defect of ours in HTTP/2 ends the stream or the connection that it was met on, and is logged; the other connections, and
// the process, do not notice. The listener runs in the test's process, before a handler that throws where it is told to.
import assert from 'node:assert/strict';
import { beforeEach, type TestContext, test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { type Carrier, type Exchange, type Handler, UNKNOWN_LENGTH } from '../../src/exchange.ts';
import { createListener } from '../../src/listener/listener.ts';
import { AddressList } from '../../src/net/addresses.ts';
import { Budget } from '../../src/net/budget.ts';
import { Deadlines } from '../../src/net/deadlines.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, headers } from '../support/h2-frames.ts';

const nothing = (): void => {};
const { chain, key } = await (await createAuthority()).issue({ dns: ['localhost'] });
let crashes: string[];
beforeEach(() => {
  crashes = [];
});

const broken = (where: string) => (): never => {
  throw new Error(where);
};

/** Answers `/` at once and keeps `/hold`; the carrier of anything else is what the test gives. */
async function begin(t: TestContext, carrier: Partial<Carrier>, changes: Partial<Handler> = {}) {
  const held: Exchange[] = [];
  const answer = (exchange: Exchange, status: number): void => {
    exchange.answer(status, '', [], UNKNOWN_LENGTH);
    exchange.end(undefined);
  };
  const handler: Handler = {
    handle(exchange) {
      if (exchange.target === '/') return answer(exchange, 200);
      exchange.carry({ body: nothing, bodyEnd: nothing, drained: nothing, depart: nothing, gone: nothing, ...carrier });
      if (exchange.target === '/hold') held.push(exchange);
    },
    refuse: (exchange) => answer(exchange, 400),
    fail: (exchange, { status }) => (exchange.answered ? exchange.cut() : answer(exchange, status)),
    crashed(exchange, error) {
      crashes.push((error as Error).message);
      if (exchange !== undefined && !exchange.finished) answer(exchange, 500);
    },
    finished: nothing,
    ...changes,
  };
  const clock = (): number => performance.now();
  const deadlines = new Deadlines(clock);
  const listener = createListener({
    tls: { fallback: { cert: chain, key }, choose: undefined },
    handlers: [handler],
    limits: {
      handshakeTimeoutMs: 10_000,
      headerTimeoutMs: 10_000,
      clientTimeoutMs: 10_000,
      minBodyRate: 240,
      idleTimeoutMs: 10_000,
      maxConnectionAgeMs: 0,
      maxHeaderBytes: 16_384,
      maxFields: 256,
      lingerMs: 1000,
    },
    clock,
    deadlines,
    http2: true,
    maxConnections: 100,
    budget: new Budget({ bytes: 64 << 20, percent: 50 }),
    balancers: new AddressList([]),
    clientCertificates: undefined,
    observer: {
      connected: nothing,
      handshake: nothing,
      handshakeFailed: nothing,
      left: nothing,
      refused: nothing,
      clientRefused: nothing,
      sessionFailed: nothing,
    },
  });
  const { port } = await listener.open({ host: '127.0.0.1', port: 0 });
  const clients: H2Client[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
    listener.stop();
    deadlines.close();
  });
  const open = async (): Promise<H2Client> => {
    const client = await connectH2({ port });
    clients.push(client);
    return client;
  };
  return { open, held, answer };
}

async function serves(client: H2Client): Promise<void> {
  const id = client.request(fieldsOf());
  await client.over(id);
  assert.equal(client.status(id), 200);
}

for (const [what, carrier] of [
  ['body', { body: broken('body') }],
  ['end', { bodyEnd: broken('end') }],
] as const)
  test(`a throw at the ${what} of a request: 500, the others on its connection finish, and it goes`, async (t) => {
    const { open, held, answer } = await begin(t, carrier);
    const [client, other] = [await open(), await open()];
    const beside = client.request(fieldsOf({ ':path': '/hold' }));
    const id = client.nextId();
    client.send(headers(id, fieldsOf({ ':method': 'POST', ':path': '/broken' }), false), data(id, 'x', what === 'end'));
    await client.over(id);
    assert.deepEqual([client.status(id), crashes], [500, [what]]);
    await client.until(() => client.goaway === 0, 'the GOAWAY');
    for (const exchange of held) answer(exchange, 200);
    await client.over(beside);
    assert.equal(client.status(beside), 200);
    await client.until(() => client.ended, 'the end of the connection');
    await serves(other);
  });

test('a throw when a client has left', async (t) => {
  const { open } = await begin(t, { gone: broken('gone') });
  const [client, other] = [await open(), await open()];
  client.request(fieldsOf({ ':path': '/broken' }));
  await serves(client);
  client.destroy();
  await other.until(() => crashes.length > 0, 'the crash');
  assert.deepEqual(crashes, ['gone']);
  await serves(other);
});

test('a throw that the handler lets through ends the connection', async (t) => {
  const { open } = await begin(t, {}, { handle: broken('handle') });
  const [client, other] = [await open(), await open()];
  client.request(fieldsOf());
  await client.until(() => client.ended, 'the end of the connection');
  assert.deepEqual(crashes, ['handle']);
  assert.equal(other.ended, false);
});
