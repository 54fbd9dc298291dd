// Real senders of PROXY headers before the real program: HAProxy as the L4 balancer, in every version and with every value
// that it can add, its checks included; and curl.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { readMetrics } from '../support/admin.ts';
import { unusedPort } from '../support/app.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import { type Lane, openLane } from '../support/stage.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'tls-sidecar-haproxy-'));
let app: Recorder;
let lane: Lane;

before(async () => {
  app = await createRecorder(response('the app'));
  const args = ['--proxy-protocol', '127.0.0.1', '--log-level', 'trace'];
  lane = await openLane({ forwarder: 'wire', upstream: app.port, args, admin: '127.0.0.1:0' });
});

after(async () => {
  rmSync(dir, { recursive: true, force: true });
  await app.close();
  await lane.close();
  assert.deepEqual(lane.defects, []);
});

function hopsOf(request = ''): string | undefined {
  return /^X-Forwarded-For: (.*)\r$/m.exec(request)?.[1];
}

/** HAProxy on a free port, before the sidecar; each client comes from the address that it chose. */
async function balancer(t: { after(hook: () => unknown): void }, server: string): Promise<number> {
  const port = await unusedPort();
  const file = join(dir, `${port}.cfg`);
  const limits = 'timeout connect 5s\n  timeout client 10s\n  timeout server 10s';
  writeFileSync(
    file,
    `global\n  maxconn 100\ndefaults\n  mode tcp\n  ${limits}\nlisten l4\n  bind 127.0.0.1:${port}\n  server app 127.0.0.1:${lane.sidecar.port} ${server}\n`,
  );
  const child: ChildProcess = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await eventually(async () => (await connect({ port })).destroy() ?? true, {
    what: 'HAProxy, and the sidecar behind it',
  });
  return port;
}

for (const [what, options] of [
  ['version 1', 'send-proxy'],
  ['version 2', 'send-proxy-v2'],
  ['version 2 with values of TLS', 'send-proxy-v2-ssl'],
  ['version 2 with the name of the certificate', 'send-proxy-v2-ssl-cn'],
  ['version 2 with checksum, unique id and authority', 'send-proxy-v2 proxy-v2-options crc32c,unique-id,authority'],
] as const) {
  test(`HAProxy, ${what}: its client is ours`, async (t) => {
    if (!needs(t, 'haproxy', 'curl')) return;
    const port = await balancer(t, options);
    for (const [address, http] of [
      ['127.0.0.5', '--http1.1'],
      ['127.0.0.6', '--http2'],
    ] as const) {
      const url = `https://127.0.0.1:${port}/`;
      const { stdout } = await run('curl', [
        '-sSk',
        http,
        '--interface',
        address,
        '-H',
        'X-Forwarded-For: 203.0.113.9',
        url,
      ]);
      assert.equal(stdout, 'the app');
      assert.equal(hopsOf(app.requests.at(-1)), address);
      await lane.sidecar.waitForLog(({ client }) => client === address);
    }
  });
}

test("HAProxy's health checks, LOCAL or bare, keep the server up and write no line", async (t) => {
  if (!needs(t, 'haproxy', 'curl')) return;
  const lines = (): number => lane.sidecar.logs.length;
  for (const check of [
    'send-proxy-v2 check inter 50ms',
    'send-proxy check inter 50ms check-send-proxy',
    'send-proxy check inter 50ms',
  ]) {
    const port = await balancer(t, check);
    await run('curl', ['-sSk', `https://127.0.0.1:${port}/`]);
    await eventually(() => lane.sidecar.logs.filter(({ msg }) => msg === 'request').length > 0, { what: 'a line' });
    const before = (await readMetrics(lane.sidecar)).sum('connections_total', { protocol: 'none' });
    await eventually(
      async () => (await readMetrics(lane.sidecar)).sum('connections_total', { protocol: 'none' }) > before + 5,
      { what: 'five checks' },
    );
    assert.equal((await run('curl', ['-sSk', `https://127.0.0.1:${port}/`])).stdout, 'the app');
  }
  await eventually(() => lines() > 0, { what: 'a line' });
  assert.deepEqual(
    lane.sidecar.logs.filter(({ msg }) => msg === 'connection refused'),
    [],
  );
  assert.equal((await readMetrics(lane.sidecar)).sum('connections_rejected_total'), 0);
});

test('HAProxy without a header gets nothing through', async (t) => {
  if (!needs(t, 'haproxy', 'curl')) return;
  await assert.rejects(balancer(t, ''), /gave up/);
  assert.ok((await readMetrics(lane.sidecar)).sum('connections_rejected_total', { reason: 'no_proxy_header' }) > 0);
});

test('curl --haproxy-protocol', async (t) => {
  if (!needs(t, 'curl')) return;
  const url = `https://127.0.0.1:${lane.sidecar.port}/`;
  const got = await run('curl', ['-sSk', '--haproxy-protocol', '--interface', '127.0.0.1', url]);
  assert.equal(got.stdout, 'the app');
  assert.equal(hopsOf(app.requests.at(-1)), '127.0.0.1');
  // From an address that is no balancer's, the same header is closed.
  await assert.rejects(run('curl', ['-sSk', '--haproxy-protocol', '--interface', '127.0.0.9', url]));
  await assert.doesNotReject(run('curl', ['-sSk', '--interface', '127.0.0.9', url]));
});
