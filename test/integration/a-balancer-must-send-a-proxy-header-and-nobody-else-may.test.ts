// The PROXY protocol at the real program: whose header counts, what it changes (the client in the log and at the app),
// what it cannot change (trust), and that everything else on such a connection is closed, counted, and told once.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { eventually } from '../support/poll.ts';
import { IPV6_ADDRESSES, tlv, v2Header } from '../support/proxy-headers.ts';
import { connect, connectPlain, type RawClient } from '../support/raw-client.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

const V1 = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: ftp\r\n\r\n';

type Post = { sidecar: Sidecar; app: Recorder };

async function begin(t: TestContext, args: string[]): Promise<Post> {
  const stage = await setStage(t);
  const app = await createRecorder(response('ok'));
  t.after(() => app.close());
  return { app, sidecar: await stage.start({ upstream: app.port, args }) };
}

function hopsOf(request = ''): string | undefined {
  return /^X-Forwarded-For: (.*)\r$/im.exec(request)?.[1];
}

async function get({ sidecar, app }: Post, preamble: Buffer | string): Promise<string | undefined> {
  const client = await connect({ port: sidecar.port, preamble });
  client.send(GET);
  assert.equal((await client.readResponse()).status, 200);
  client.destroy();
  return hopsOf(app.requests.at(-1));
}

async function counted(sidecar: Sidecar, reason: string, times: number): Promise<void> {
  await eventually(async () => (await readMetrics(sidecar)).sum('connections_rejected_total', { reason }) === times, {
    what: `${times} connections rejected for ${reason}`,
  });
}

async function closedUnanswered(client: RawClient<Socket>): Promise<void> {
  await client.closed;
  assert.equal(client.received.length, 0);
}

const accepted: readonly (readonly [what: string, header: Buffer | string, client: string])[] = [
  ['version 1', V1, '192.0.2.7'],
  ['version 1, IPv6', 'PROXY TCP6 2001:DB8::7 2001:db8::1 4711 443\r\n', '2001:db8::7'],
  ['version 1, a mapped address', 'PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 443\r\n', '192.0.2.7'],
  ['version 1, UNKNOWN', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
  ['version 2', v2Header(), '192.0.2.7'],
  ['version 2, IPv6', v2Header({ family: 0x21, addresses: IPV6_ADDRESSES }), '2001:db8::7'],
  [
    'version 2 with values',
    v2Header({ tlvs: Buffer.concat([tlv(1, 'h2'), tlv(0xe0, Buffer.alloc(3000))]) }),
    '192.0.2.7',
  ],
  ['version 2, LOCAL', v2Header({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }), '127.0.0.1'],
];

for (const forwarder of forwarders) {
  test(`the source of a balancer's header is the client, at the app and in the log (${forwarder})`, async (t) => {
    const post = await begin(t, [
      '--proxy-protocol',
      '10.0.0.0/8',
      '--proxy-protocol',
      '127.0.0.1',
      '--forwarder',
      forwarder,
    ]);
    for (const [what, header, client] of accepted) assert.equal(await get(post, header), client, what);
    await eventually(() => post.sidecar.logs.filter(({ msg }) => msg === 'request').length === accepted.length, {
      what: 'all lines',
    });
    const clients = post.sidecar.logs.filter(({ msg }) => msg === 'request').map(({ client }) => client);
    assert.deepEqual(
      clients,
      accepted.map(([, , client]) => client),
    );
    await endsWell(post.sidecar);
  });
}

test('over HTTP/2 as well', async (t) => {
  const post = await begin(t, ['--proxy-protocol', '127.0.0.0/8']);
  const client = await connectH2({ port: post.sidecar.port, preamble: v2Header() });
  const id = client.request(fieldsOf({ 'x-forwarded-for': '203.0.113.9', x_forwarded_for: '203.0.113.9' }));
  await client.over(id);
  assert.equal(client.status(id), 200);
  assert.equal(hopsOf(post.app.requests[0]), '192.0.2.7');
  client.destroy();
  assert.equal((await post.sidecar.waitForLog('request')).client, '192.0.2.7');
  await endsWell(post.sidecar);
});

test('a header that comes byte by byte, with the handshake close behind it, is read the same', async (t) => {
  const post = await begin(t, ['--proxy-protocol', '127.0.0.1', '--plaintext', 'forward']);
  for (const header of [Buffer.from(V1), v2Header({ tlvs: tlv(1, 'h2') })]) {
    const client = await connectPlain({ port: post.sidecar.port });
    for (const byte of header) {
      client.send(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    client.send(GET);
    assert.equal((await client.readResponse()).status, 200);
    assert.equal(hopsOf(post.app.requests.at(-1)), '192.0.2.7');
    client.destroy();
  }
  await endsWell(post.sidecar);
});

describe('from a balancer', () => {
  test('no header, or a wrong one, closes the connection; each is counted, and a line is written once', async (t) => {
    const { sidecar, app } = await begin(t, [
      '--proxy-protocol',
      '127.0.0.1',
      '--plaintext',
      'forward',
      '--log-level',
      'trace',
    ]);
    const missing = [Buffer.from('16030100c8010000c40303', 'hex'), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\0', ` ${V1}`];
    const wrong = [
      ...[V1.replace('\r\n', '\n'), V1.replace('4711', '04711'), `PROXY TCP4 ${'1'.repeat(200)}`],
      ...[v2Header({ command: 0x31 }), v2Header({ length: 60_000 }), v2Header({ tlvs: tlv(3, Buffer.alloc(4)) })],
    ];
    for (const bytes of [...missing, ...wrong]) {
      const client = await connectPlain({ port: sidecar.port });
      client.send(bytes);
      await closedUnanswered(client);
    }
    // Half a header, and then the end.
    for (const bytes of ['PROXY TCP4 19', v2Header().subarray(0, 20)]) {
      const client = await connectPlain({ port: sidecar.port });
      client.end(bytes);
      await closedUnanswered(client);
    }
    await counted(sidecar, 'no_proxy_header', missing.length);
    await counted(sidecar, 'bad_proxy_header', wrong.length + 2);
    await endsWell(sidecar);
    assert.equal(app.connections.length, 0);
    const told = sidecar.logs.filter(({ msg }) => msg === 'connection refused');
    assert.deepEqual(
      told.map(({ reason, peer, times }) => [reason, peer, times]),
      [
        ['no_proxy_header', '127.0.0.1', 1],
        ['bad_proxy_header', '127.0.0.1', 1],
      ],
    );
    assert.ok(!sidecar.logs.some(({ msg }) => msg === 'request'));
  });

  test('a second header is none', async (t) => {
    const { sidecar } = await begin(t, ['--proxy-protocol', '127.0.0.1']);
    const client = await connectPlain({ port: sidecar.port });
    client.send(V1 + V1);
    await closedUnanswered(client);
    await counted(sidecar, 'unexpected_proxy_header', 1);
    await endsWell(sidecar);
  });

  test('bare probes, with a LOCAL header or without, are counted and not logged', async (t) => {
    const { sidecar } = await begin(t, ['--proxy-protocol', '127.0.0.1', '--log-level', 'trace']);
    const before = sidecar.logs.length;
    for (const header of [
      '',
      '',
      v2Header({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }),
      'PROXY UNKNOWN\r\n',
    ]) {
      const probe = await connectPlain({ port: sidecar.port });
      if (header !== '') probe.send(header);
      if (header === '') probe.reset();
      else probe.end();
      await probe.closed;
    }
    await eventually(async () => (await readMetrics(sidecar)).sum('connections_total', { protocol: 'none' }) === 4, {
      what: 'four probes',
    });
    assert.equal((await readMetrics(sidecar)).sum('connections_rejected_total'), 0);
    await endsWell(sidecar);
    const quiet = ['state', 'stopping', 'stopped'];
    const said = sidecar.logs
      .slice(before)
      .filter(({ msg }) => !quiet.includes(`${msg}`) && !/^this Node/.test(`${msg}`));
    assert.deepEqual(said, []);
  });
});

test('from anyone else a header is not TLS: closed, never parsed, counted and told once', async (t) => {
  const { sidecar, app } = await begin(t, ['--proxy-protocol', '10.0.0.0/8', '--plaintext', 'forward']);
  const headers = [V1, v2Header(), 'PROXY nonsense', v2Header({ command: 0x20 })];
  for (const header of headers) {
    await assert.rejects(connect({ port: sidecar.port, preamble: header }));
    const client = await connectPlain({ port: sidecar.port });
    client.send(Buffer.concat([Buffer.from(header as string), Buffer.from(GET)]));
    await closedUnanswered(client);
  }
  for (const header of [Buffer.from(V1), v2Header()]) {
    const client = await connectPlain({ port: sidecar.port });
    for (const byte of header.subarray(0, 6)) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await closedUnanswered(client);
  }
  await counted(sidecar, 'unexpected_proxy_header', headers.length * 2 + 2);
  assert.equal(app.connections.length, 0);
  // Without one, they are served.
  const client = await connect({ port: sidecar.port });
  client.send(GET);
  assert.equal((await client.readResponse()).status, 200);
  assert.equal(hopsOf(app.requests[0]), '127.0.0.1');
  client.destroy();
  // What only begins like one is read on: empty lines before a request, and methods with the same letters.
  const plain = await connectPlain({ port: sidecar.port });
  for (const piece of ['\r\n', 'P', `ATCH ${GET.slice(4)}`]) {
    plain.send(piece);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal((await plain.readResponse()).status, 200);
  plain.destroy();
  await endsWell(sidecar);
  assert.equal(sidecar.logs.filter(({ msg }) => msg === 'connection refused').length, 1);
});

test("a header's source in a trusted range trusts nobody: trust is judged on the TCP peer", async (t) => {
  const post = await begin(t, ['--proxy-protocol', '127.0.0.1', '--trust-forwarded', '192.0.2.0/24']);
  assert.equal(await get(post, V1), '192.0.2.7');
  assert.match(post.app.requests[0] ?? '', /^X-Forwarded-Proto: https\r$/m);
  assert.equal((await post.sidecar.waitForLog('request')).client, '192.0.2.7');
  await endsWell(post.sidecar);
});

describe('--handshake-timeout is one limit', { concurrency: 4 }, () => {
  const limitMs = 8000;
  const rows: readonly (readonly [what: string, pieces: (Buffer | string)[], reason: string])[] = [
    ['for a header that does not come', [], 'proxy_header_timeout'],
    ['for half a header', ['PROXY TCP4 '], 'proxy_header_timeout'],
    ['for a header and the first byte', [V1], 'timeout'],
    ['for header, silence and half a handshake', [V1, Buffer.from('16030100c8010000c40303', 'hex')], 'timeout'],
  ];
  for (const [what, pieces, reason] of rows) {
    test(what, async (t) => {
      const { sidecar } = await begin(t, ['--proxy-protocol', '127.0.0.1', '--handshake-timeout', `${limitMs}ms`]);
      const started = performance.now();
      const client = await connectPlain({ port: sidecar.port });
      const passed = (ms: number): Promise<unknown> =>
        eventually(() => performance.now() - started > ms, { what: 'its time' });
      // So much later that a machine which stands still for a while does not see both end at once.
      await passed(4000);
      const later = await connectPlain({ port: sidecar.port });
      await eventually(async () => (await readMetrics(sidecar)).sum('connections_active') === 2, {
        what: 'the second',
      });
      // Each piece after the second connection has begun, by more than a sweep of the deadlines (250 ms): a limit that
      // began anew with one of them would end after that of the second.
      for (const piece of pieces) {
        const at = performance.now() - started;
        await passed(at + 400);
        client.send(piece);
      }
      const ends: string[] = [];
      await Promise.all([
        closedUnanswered(client).then(() => ends.push('first')),
        closedUnanswered(later).then(() => ends.push('second')),
      ]);
      assert.deepEqual(ends, ['first', 'second']);
      assert.ok(performance.now() - started >= limitMs);
      const isHandshake = reason === 'timeout';
      await counted(sidecar, 'proxy_header_timeout', isHandshake ? 1 : 2);
      const metrics = await readMetrics(sidecar);
      assert.deepEqual(
        [metrics.sum('handshake_failures_total', { reason: 'timeout' }), metrics.sum('handshake_failures_total')],
        isHandshake ? [1, 1] : [0, 0],
      );
      await endsWell(sidecar);
    });
  }
});

test('a drain closes who still owes a header', async (t) => {
  // It ends well only if it waits for neither of the two.
  const limits = ['--handshake-timeout', '10m', '--drain-timeout', '20m'];
  const { sidecar } = await begin(t, ['--proxy-protocol', '127.0.0.1', ...limits]);
  const silent = await connectPlain({ port: sidecar.port });
  await endsWell(sidecar);
  await silent.closed;
});
