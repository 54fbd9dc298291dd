// What a client gets that speaks plain HTTP to the TLS port, in each of the three modes; and that nothing of what it says
// gets further than it may: no other place to go to, no field of its own, no second request.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import { type RawResponse, valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

type Post = { sidecar: Sidecar; app: Recorder };

async function begin(t: TestContext, mode: string, args: string[] = []): Promise<Post> {
  const stage = await setStage(t);
  const app = await createRecorder(response('the app'));
  t.after(() => app.close());
  return { app, sidecar: await stage.start({ upstream: app.port, args: ['--plaintext', mode, ...args] }) };
}

/** Everything that comes back for these bytes until the sidecar closes, as text, and the first answer of it. */
async function say({ sidecar }: Post, bytes: string): Promise<{ all: string; answer: RawResponse }> {
  const client = await connectPlain({ port: sidecar.port });
  client.send(Buffer.from(bytes, 'latin1'));
  const answer = await client.readResponse({ head: bytes.startsWith('HEAD') });
  client.end();
  await client.closed;
  return { all: client.received.toString('latin1'), answer };
}

const get = (target: string, host = 'localhost:8080', more = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

function reasonOf({ headers }: RawResponse): string {
  return /details="(\w+)"/.exec(valuesOf(headers, 'proxy-status')[0] ?? '')?.[1] ?? '';
}

describe('--plaintext redirect', () => {
  const sent: readonly (readonly [request: string, location: string])[] = [
    [get('/'), 'https://localhost:8080/'],
    [get('/a/../b//c?x=%2F&y=%00;z'), 'https://localhost:8080/a/../b//c?x=%2F&y=%00;z'],
    [get('//evil.example/x'), 'https://localhost:8080//evil.example/x'],
    [get('/\\evil.example'), 'https://localhost:8080/\\evil.example'],
    [get('/@evil.example'), 'https://localhost:8080/@evil.example'],
    [get('/', 'app.example'), 'https://app.example:80/'],
    [get('/', 'App.Example:443'), 'https://App.Example:443/'],
    [get('/', '[2001:db8::1]'), 'https://[2001:db8::1]:80/'],
    [get('/', '[2001:db8::1]:8443'), 'https://[2001:db8::1]:8443/'],
    [get('http://localhost:8080/abs?q'), 'https://localhost:8080/abs?q'],
    ['HEAD /h HTTP/1.1\r\nHost: localhost:8080\r\n\r\n', 'https://localhost:8080/h'],
    ['GET /old HTTP/1.0\r\nHost: localhost\r\n\r\n', 'https://localhost:80/old'],
    ['POST /p HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 5\r\n\r\nhello', 'https://localhost:1/p'],
    [
      'POST /c HTTP/1.1\r\nHost: localhost:1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      'https://localhost:1/c',
    ],
    [
      get(
        '/ws',
        'localhost:1',
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n',
      ),
      'https://localhost:1/ws',
    ],
  ];
  const refused: readonly (readonly [request: string, status: number, reason: string])[] = [
    ...[
      '',
      'a b',
      'a/b',
      'user@evil.example',
      'user:pass@evil.example',
      'a:80:80',
      'a:99999',
      'a:',
      '"a"',
      '<a>',
      'a,b',
    ].map((host) => [get('/', host), 400, 'bad_host'] as const),
    ...['a\\b', 'a?b', 'a#b', 'https://a', '[::1', 'a\tb', 'é'].map(
      (host) => [get('/', host), 400, 'bad_host'] as const,
    ),
    [get('/', 'a\rSet-Cookie: x=1'), 400, 'malformed_request'],
    [get('/', 'a\nSet-Cookie: x=1'), 400, 'malformed_request'],
    [get('/', 'a\0b'), 400, 'malformed_request'],
    [get('/\rSet-Cookie: x'), 400, 'malformed_request'],
    [get('/\u00e9'), 400, 'malformed_request'],
    [get('http://evil.example/'), 400, 'bad_host'],
    [get('http://user@localhost:8080/'), 400, 'bad_target'],
    [get('ftp://localhost:8080/'), 400, 'bad_target'],
    [get('/#a'), 400, 'bad_target'],
    ['GET / HTTP/1.1\r\n\r\n', 400, 'bad_host'],
    ['GET / HTTP/1.0\r\n\r\n', 400, 'bad_host'],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'bad_host'],
    ['OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'plaintext'],
    ['CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n', 501, 'bad_method'],
    [
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'bad_framing',
    ],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 505, 'bad_version'],
  ];

  test('sends each request to its own URL with https, and what is no proper request gets a word', async (t) => {
    const post = await begin(t, 'redirect');
    for (const [request, location] of sent) {
      const { answer, all } = await say(post, request);
      assert.equal(answer.status, 308, request);
      assert.deepEqual(valuesOf(answer.headers, 'location'), [location]);
      assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
      assert.equal(reasonOf(answer), 'plaintext_redirect');
      assert.equal(all.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.doesNotMatch(answer.body.toString(), /example|localhost/);
    }
    for (const [request, status, reason] of refused) {
      const { answer, all } = await say(post, request);
      assert.deepEqual([answer.status, reasonOf(answer)], [status, reason], JSON.stringify(request));
      assert.doesNotMatch(all, /^location|^set-cookie/im, JSON.stringify(request));
    }
    assert.equal(post.app.connections.length, 0);
    await eventually(
      async () => {
        const metrics = await readMetrics(post.sidecar);
        assert.equal(metrics.sum('plaintext_requests_total', { action: 'redirect' }), sent.length);
        assert.equal(metrics.sum('plaintext_requests_total', { action: 'reject' }), refused.length);
        return true;
      },
      { what: 'every request to be counted' },
    );
    await endsWell(post.sidecar);
  });

  test("what follows a redirected request on its connection is nobody's: pipelined, or hidden in a body", async (t) => {
    const post = await begin(t, 'redirect');
    const second = get('/second');
    for (const request of [
      get('/') + second,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${second}`,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${second}`,
      get('/', 'a', 'Connection: keep-alive\r\n') + second.repeat(20),
    ]) {
      const { all } = await say(post, request);
      assert.equal(all.match(/HTTP\/1\.1 \d/g)?.length, 1, request);
      assert.doesNotMatch(all, /second/);
    }
    assert.equal(post.app.connections.length, 0);
    const client = await connect({ port: post.sidecar.port });
    client.send(get('/secure'));
    assert.equal((await client.readResponse()).status, 200);
    client.destroy();
    await endsWell(post.sidecar);
  });
});

for (const forwarder of forwarders) {
  test(`--plaintext forward serves it, says so to the app, and counts every request apart (${forwarder})`, async (t) => {
    const post = await begin(t, 'forward', ['--forwarder', forwarder]);
    const client = await connectPlain({ port: post.sidecar.port });
    const wanted: [host: string, port: string][] = [
      ['a.example', '80'],
      ['a.example:8080', '8080'],
      ['[::1]', '80'],
    ];
    for (const [at, [host, port]] of wanted.entries()) {
      client.send(get('/', host, 'X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX_Forwarded_Proto: https\r\n'));
      assert.equal((await client.readResponse()).body.toString(), 'the app');
      const request = post.app.requests[at] ?? '';
      assert.deepEqual(request.match(/^x.forwarded.proto: .*$/gim), ['X-Forwarded-Proto: http']);
      assert.deepEqual(request.match(/^x.forwarded.port: .*$/gim), [`X-Forwarded-Port: ${port}`]);
    }
    // The rules are the same for all.
    client.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    assert.equal((await client.readResponse()).status, 400);
    await client.closed;
    const { answer } = await say(post, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.deepEqual([answer.status, reasonOf(answer)], [505, 'bad_version']);
    await eventually(
      async () => (await readMetrics(post.sidecar)).sum('plaintext_requests_total', { action: 'forward' }) === 5,
      {
        what: 'five plaintext requests',
      },
    );
    const line = await post.sidecar.waitForLog('request');
    assert.equal(line.tls, undefined);
    await endsWell(post.sidecar);
  });
}

test('--plaintext reject says what is wrong before anything else is looked at', async (t) => {
  const post = await begin(t, 'reject');
  for (const request of [
    get('/'),
    get('/', 'a b'),
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.0\r\n\r\n',
  ]) {
    const { answer } = await say(post, request);
    assert.deepEqual([answer.status, reasonOf(answer)], [400, 'plaintext']);
    assert.deepEqual(valuesOf(answer.headers, 'location'), []);
  }
  assert.equal(post.app.connections.length, 0);
  await endsWell(post.sidecar);
});

test('a mode that does not exist is an error that names those that do', async () => {
  const { code, stderr } = await runToExit(['--plaintext', 'upgrade']);
  assert.deepEqual([code, /--plaintext takes one of reject, redirect, forward/.test(stderr)], [2, true]);
});
