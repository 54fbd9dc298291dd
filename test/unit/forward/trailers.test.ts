// Trailers through both forwarders: what may not stand in a trailer, or may not be said by a client, ends here.
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { type Failures, UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { forwarderOf } from '../../../src/forward/forward.ts';
import { createHttpProxy } from '../../../src/forward/http-proxy/http-proxy.ts';
import type { Lender } from '../../../src/forward/transport.ts';
import type { ForwarderOptions, ForwardLimits } from '../../../src/forward/upstream.ts';
import { createWire } from '../../../src/forward/wire/wire.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { Budget } from '../../../src/net/budget.ts';
import { Deadlines } from '../../../src/net/deadlines.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

const limits: ForwardLimits = {
  connectTimeoutMs: 5000,
  upstreamTimeoutMs: 5000,
  idleTimeoutMs: 4000,
  maxConnections: 2,
  maxHeaderBytes: 8192,
  maxFields: 64,
};
type Make = (options: ForwarderOptions) => Lender;
const lenders: Readonly<Record<string, Make>> = { wire: createWire, 'http-proxy': createHttpProxy };
const clock = (): number => 0;
const account = new Budget({ bytes: 64 << 20, percent: 50 }).shared;
const crashed = (error: unknown): never => {
  throw error;
};

/** Sends a chunked request with these trailers, and gives what the app read and which trailers the client gets. */
async function carry(make: Make, sent: RawHeaders, answered: string): Promise<[app: string, client: RawHeaders]> {
  let read = '';
  const app = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      read += bytes.toString('latin1');
      if (!/\r\n0\r\n(?:.*\r\n)*\r\n$/.test(read)) return;
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${answered}\r\n`);
    });
  });
  await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
  const { port } = app.address() as AddressInfo;
  const deadlines = new Deadlines(clock);
  const options = {
    upstream: { kind: 'tcp', host: '127.0.0.1', port },
    limits,
    clock,
    deadlines,
    crashed,
    account,
  } as const;
  const forwarder = forwarderOf(make(options), options);
  const exchange = new FakeExchange({ method: 'POST', headers: ['Host', 'a'], bodyLength: UNKNOWN_LENGTH });
  const ended = new Promise<void>((resolve, reject) => {
    exchange.onEnd = resolve;
    const take = exchange.carry.bind(exchange);
    exchange.carry = (carrier) => {
      take(carrier);
      carrier.body(Buffer.from('x'));
      carrier.bodyEnd(sent);
    };
    const failures: Failures = {
      fail: (_, { reason }) => reject(new Error(reason)),
      crashed: (_, error) => reject(error),
    };
    forwarder.forward(exchange, failures);
  });
  await ended;
  forwarder.close();
  await new Promise<void>((resolve) => void app.close(() => resolve()));
  return [read.slice(read.indexOf('\r\n0\r\n') + 5), exchange.trailers ?? []];
}

for (const [name, make] of Object.entries(lenders)) {
  describe(`trailers through ${name}`, () => {
    test('arrive on both sides, in order and byte for byte', async () => {
      const [app, client] = await carry(make, ['X-Sum', 'abc', 'Grpc-Status', '0'], 'X-T: 1\r\nx-t: 2\r\n');
      assert.deepEqual([app, client], ['X-Sum: abc\r\nGrpc-Status: 0\r\n\r\n', ['X-T', '1', 'x-t', '2']]);
    });

    test('hold nothing of a client that would be taken out of its head', async () => {
      const forged = ['X-Forwarded-For', 'x_forwarded_client_cert', 'Forwarded', 'X-Request-Id'];
      const framing = ['Content-Length', 'Transfer-Encoding', 'Host', 'Connection', 'TE', 'Upgrade', 'Content_Length'];
      const sent = [...forged, ...framing].flatMap((field) => [field, '1']);
      const [app] = await carry(make, [...sent, 'X-Sum', 'abc'], '');
      assert.equal(app, 'X-Sum: abc\r\n\r\n');
    });

    test('hold no hop-by-hop field of the app', async () => {
      const [, client] = await carry(make, ['X-Sum', 'abc'], 'Connection: close\r\nKeep-Alive: x\r\nX-T: 1\r\n');
      assert.deepEqual(client, ['X-T', '1']);
    });
  });
}
