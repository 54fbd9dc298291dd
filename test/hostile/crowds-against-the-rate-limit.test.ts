// Whoever can speak from many addresses against --rate-limit: the table stays within its bounds, nobody else is refused or
// forgiven for it, and no way of asking gets rid of what is owed.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const ADDRESSES = 20_000;
const BATCH = 1000;
/** What the table weighs, and what a busy heap has beside it for a while. */
const MOST_MIB = 56;

async function begin(t: TestContext, args: string[]): Promise<{ sidecar: Sidecar; ca: string }> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end());
  const sidecar = await stage.start({
    upstream: app.port,
    args: ['--access-log', 'off', '--trust-forwarded', '127.0.0.1', ...args],
  });
  return { sidecar, ca: stage.authority.pem };
}

/** Long, so that whoever kept the field for the address in it would hold 8 KiB for each. */
const padding = 'x'.repeat(8000);

function requestFrom(address: string, pad = ''): string {
  return `GET / HTTP/1.1\r\nHost: a\r\nX-Pad: ${pad}\r\nX-Forwarded-For: ${address}\r\n\r\n`;
}

async function askFrom(client: RawClient, address: string): Promise<number> {
  client.send(requestFrom(address));
  return (await client.readResponse()).status;
}

/** Each asks once, pipelined; resolves with how many were answered with 200. */
async function crowd(port: number, addresses: readonly string[], pad: string): Promise<number> {
  const client = await connect({ port });
  client.socket.removeAllListeners('data');
  let answers = 0;
  let served = 0;
  let rest = '';
  const done = new Promise<void>((resolve, reject) => {
    client.socket.on('close', () => reject(new Error(`closed after ${answers} answers`)));
    client.socket.on('data', (chunk: Buffer) => {
      const text = rest + chunk.toString('latin1');
      for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
        answers++;
        if (status === '200') served++;
      }
      // No status line is cut in two and counted twice.
      const last = text.lastIndexOf('HTTP/1.1 ');
      rest = last >= 0 && text.length - last < 12 ? text.slice(last) : text.slice(-8).replace(/HTTP\/1\.1 \d*$/, '');
      if (answers === addresses.length) resolve();
    });
  });
  for (const address of addresses) client.socket.write(requestFrom(address, pad));
  await done;
  client.socket.removeAllListeners('close');
  client.destroy();
  return served;
}

/** The n-th network of IPv6; of every five thousand, the first thousand are addresses of IPv4, which come in long heads. */
function addressOf(n: number): string {
  const k = Math.floor(n / 5000) * BATCH + (n % BATCH);
  if (isLong(n)) return `198.51.${100 + Math.floor(k / 100)}.${100 + (k % 100)}`;
  return `2001:db8:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}::1`;
}

function isLong(n: number): boolean {
  return n % 5000 < BATCH;
}

test(`${ADDRESSES} addresses are served and forgiven nothing, and memory stays bounded`, async (t) => {
  const { sidecar } = await begin(t, ['--rate-limit', '20/h']);
  const ask = async (address: string): Promise<number> => {
    const client = await connect({ port: sidecar.port });
    const status = await askFrom(client, address);
    client.destroy();
    return status;
  };
  for (let i = 0; i < 20; i++) assert.equal(await ask('192.0.2.1'), 200);
  assert.equal(await ask('192.0.2.1'), 429);
  // What any load leaves in a heap.
  for (let i = 0; i < 10; i++) {
    const same = new Array<string>(BATCH).fill('192.0.2.1');
    assert.equal(await crowd(sidecar.port, same, i < 2 ? padding : ''), 0);
  }
  const before = sidecar.rssBytes();
  for (let from = 0; from < ADDRESSES; from += BATCH) {
    const addresses = Array.from({ length: BATCH }, (_, i) => addressOf(from + i));
    assert.equal(await crowd(sidecar.port, addresses, isLong(from) ? padding : ''), BATCH);
  }
  assert.equal(await ask('192.0.2.1'), 429, 'what is owed stays owed');
  for (let i = 0; i < 20; i++) assert.equal(await ask('192.0.2.2'), 200, 'a new client is served');
  assert.equal(await ask('192.0.2.2'), 429, 'and no more than its burst');
  const grownMib = (sidecar.rssBytes() - before) / (1 << 20);
  t.diagnostic(`${grownMib.toFixed(0)} MiB more after ${ADDRESSES} addresses`);
  assert.ok(grownMib < MOST_MIB, `${grownMib} MiB`);
});

test('what is owed is not shaken off by new connections, ports, streams, aborts or wrong requests', async (t) => {
  const { sidecar, ca } = await begin(t, ['--rate-limit', '10/h']);
  const { port } = sidecar;
  const once = async (request: string): Promise<number> => {
    // Not trusted: what it says of itself is no matter.
    const client = await connect({ port, localAddress: '127.0.0.3' });
    client.send(request);
    const { status } = await client.readResponse();
    client.destroy();
    return status;
  };
  const first = await Promise.all(Array.from({ length: 30 }, (_, i) => once(requestFrom(`192.0.2.${i}`))));
  assert.equal(first.filter((status) => status === 200).length, 10);
  const ways = [
    'GET /other?a=b HTTP/1.1\r\nHost: other\r\n\r\n',
    'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 192.0.2.1\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  ];
  for (const way of ways) assert.equal(await once(way), 429, way);
  for (const wrong of ['GET / HTTP/1.1\r\n\r\n', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n'])
    assert.equal(await once(wrong), 400);
  assert.equal(await once(requestFrom('192.0.2.1')), 429);

  // The other address of the loopback has a count of its own, over HTTP/2 as over HTTP/1.1.
  const client = await openH2Client(port, ca);
  t.after(() => client.close());
  const streams = await Promise.all(
    Array.from({ length: 100 }, (_, i) => client.request({ 'x-forwarded-for': `198.51.100.${i % 2}` })),
  );
  assert.equal(streams.filter(({ status }) => status === 200).length, 20);
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('rate_limited_total'), metrics.sum('requests_total', { code: '429' }));
});
