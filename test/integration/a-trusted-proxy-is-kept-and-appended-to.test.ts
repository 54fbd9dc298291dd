// Behind a trusted proxy: what it said of the client reaches the app, with ours appended, and the log has the real client;
// through HTTP/1.1 and HTTP/2 and both forwarders. From an IPv6 socket, an IPv4 range must fit, too.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

type Post = { sidecar: Sidecar; app: Recorder };

async function begin(t: TestContext, args: string[], listen?: string): Promise<Post> {
  const stage = await setStage(t);
  const app = await createRecorder(response('ok'));
  t.after(() => app.close());
  return { app, sidecar: await stage.start({ upstream: app.port, args, ...(listen !== undefined && { listen }) }) };
}

const SAID: readonly [name: string, value: string][] = [
  ['X-Forwarded-For', '198.51.100.1, 192.0.2.7'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Host', 'public.example:8080'],
  ['X-Forwarded-Prefix', '/app'],
  ['Forwarded', 'for=192.0.2.7;proto=http'],
  ['X-Request-Id', 'abc-123'],
];
const WANTED: readonly string[] = [
  'X-Forwarded-For: 198.51.100.1, 192.0.2.7, 127.0.0.1',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: public.example:8080',
  'X-Forwarded-Port: 8080',
  'X-Forwarded-Prefix: /app',
  'Forwarded: for=192.0.2.7;proto=http, for=127.0.0.1;host=app.test;proto=https',
  'X-Request-Id: abc-123',
];

async function viaHttp1({ sidecar, app }: Post, fields = SAID, host = '127.0.0.1'): Promise<string> {
  const client = await connect({ port: sidecar.port, host });
  client.send(
    `GET / HTTP/1.1\r\nHost: app.test\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  assert.equal((await client.readResponse()).status, 200);
  client.destroy();
  return app.requests.at(-1) ?? '';
}

async function viaHttp2({ sidecar, app }: Post): Promise<string> {
  const client = await connectH2({ port: sidecar.port });
  const id = client.request([
    ...fieldsOf(),
    ...SAID.map(([name, value]): [string, string] => [name.toLowerCase(), value]),
  ]);
  await client.over(id);
  client.destroy();
  return app.requests.at(-1) ?? '';
}

function told(request: string): string[] {
  return request.split('\r\n').filter((line) => /^(?:x.?forwarded|forwarded|x.?request)/i.test(line));
}

const lower = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase())).sort();

for (const forwarder of forwarders) {
  for (const [protocol, send] of [
    ['HTTP/1.1', viaHttp1],
    ['HTTP/2', viaHttp2],
  ] as const) {
    test(`the app is told what the proxy said, and of the proxy (${protocol}, ${forwarder})`, async (t) => {
      const post = await begin(t, ['--trust-forwarded', '127.0.0.0/8', '--forwarder', forwarder]);
      assert.deepEqual(lower(told(await send(post))), lower(WANTED));
      const { client, requestId } = await post.sidecar.waitForLog('request');
      assert.deepEqual([client, requestId], ['192.0.2.7', 'abc-123']);
      await endsWell(post.sidecar);
    });
  }
}

test('the client in the log is the rightmost hop that is not trusted, and never what is no address', async (t) => {
  const post = await begin(t, ['--trust-forwarded', '127.0.0.1', '--trust-forwarded', '10.0.0.0/8']);
  const rows: [hops: string, client: string][] = [
    ['203.0.113.9, 192.0.2.7, 10.1.1.1', '192.0.2.7'],
    ['192.0.2.7, ::ffff:10.1.1.1', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['192.0.2.7, "\\u001b[31mred"', '127.0.0.1'],
    ['192.0.2.7, <script>alert(1)</script>', '127.0.0.1'],
    ['10.1.1.1', '127.0.0.1'],
    ['', '127.0.0.1'],
  ];
  for (const [hops] of rows) await viaHttp1(post, [['X-Forwarded-For', hops]]);
  const lines = await eventually(
    () => {
      const found = post.sidecar.logs.filter(({ msg }) => msg === 'request');
      return found.length === rows.length && found;
    },
    { what: 'all lines' },
  );
  assert.deepEqual(
    lines.map(({ client }) => client),
    rows.map(([, client]) => client),
  );
  await endsWell(post.sidecar);
  assert.doesNotMatch(JSON.stringify(post.sidecar.logs), /script|red/);
});

test('a request that is refused is logged with its client, too', async (t) => {
  const post = await begin(t, ['--trust-forwarded', '127.0.0.1']);
  const client = await connect({ port: post.sidecar.port });
  client.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n');
  assert.equal((await client.readResponse()).status, 400);
  await client.closed;
  const line = await post.sidecar.waitForLog('request');
  assert.deepEqual([line.client, line.reason], ['192.0.2.7', 'bad_host']);
  await endsWell(post.sidecar);
});

describe('a peer that an IPv6 socket sees as ::ffff:127.0.0.1', () => {
  for (const [range, trusted] of [
    ['127.0.0.1', true],
    ['127.0.0.0/8', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:7f00:0/104', true],
    ['0.0.0.0/0', true],
    ['::1', false],
    ['::/0', false],
    ['10.0.0.0/8', false],
  ] as const) {
    test(`is ${trusted ? '' : 'not '}in ${range}`, async (t) => {
      const post = await begin(t, ['--trust-forwarded', range], '[::]:0');
      const request = await viaHttp1(post, [['X-Forwarded-For', '192.0.2.7']]);
      assert.deepEqual(
        told(request).filter((line) => line.startsWith('X-Forwarded-For')),
        [`X-Forwarded-For: ${trusted ? '192.0.2.7, ' : ''}127.0.0.1`],
      );
      // Where everybody is trusted, no hop is the one that is not.
      const named = trusted && range !== '0.0.0.0/0';
      assert.equal((await post.sidecar.waitForLog('request')).client, named ? '192.0.2.7' : '127.0.0.1');
      await endsWell(post.sidecar);
    });
  }
});

test('a range with bits behind its prefix, or what is none, is an error that says what to write', async () => {
  const { code, stderr } = await runToExit(['--trust-forwarded', '10.0.0.5/8', '--proxy-protocol', 'balancer.example']);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /--trust-forwarded takes a range that begins at its first address; for one address write 10\.0\.0\.5\/32; the flag says "10\.0\.0\.5\/8"/,
  );
  assert.match(stderr, /--proxy-protocol takes an address or a range, as 10\.0\.0\.0\/8/);
});

test('ranges may come from the environment, with commas', async (t) => {
  const stage = await setStage(t);
  const app = await createRecorder(response('ok'));
  t.after(() => app.close());
  const env = { TLS_SIDECAR_TRUST_FORWARDED: '10.0.0.0/8, 127.0.0.1' };
  const sidecar = await stage.start({ upstream: app.port, env });
  assert.match(await viaHttp1({ sidecar, app }), /^X-Request-Id: abc-123\r$/m);
  await endsWell(sidecar);
});
