// An operator's questions, answered by the log: whose handshakes fail and why, when the app was away, which requests failed,
// and what the last words were before an end that nobody asked for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import type { LogLine } from '../support/log-lines.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { launch } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

function lines(sidecar: Sidecar, msg: string): LogLine[] {
  return sidecar.logs.filter((line) => line.msg === msg);
}

async function ask(sidecar: Sidecar): Promise<number> {
  const client = await connect({ port: sidecar.port });
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const { status } = await client.readResponse();
  client.end();
  await client.closed;
  return status;
}

describe('a handshake that fails is told with its client, the name that was asked for, and why', {
  concurrency: 3,
}, () => {
  async function failure(t: TestContext, fail: (port: number) => Promise<unknown>): Promise<LogLine> {
    const stage = await setStage(t);
    const sidecar = await stage.start({ upstream: await unusedPort() });
    await fail(sidecar.port);
    const line = await sidecar.waitForLog('TLS handshake failed');
    assert.deepEqual([line.level, line.peer, line.client, line.times], ['warn', '127.0.0.1', '127.0.0.1', 1]);
    assert.equal((await readMetrics(sidecar)).sum('handshake_failures_total', { reason: String(line.reason) }), 1);
    return line;
  }

  test('a client that does not trust the certificate', async (t) => {
    if (!needs(t, 'openssl')) return;
    const line = await failure(t, async (port) => {
      const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'web.example', '-verify_return_error'];
      await once(spawn('openssl', args, { stdio: 'ignore' }), 'exit');
    });
    assert.deepEqual([line.reason, line.sni, line.alert], ['client_alert', 'web.example', 'unknown_ca']);
  });

  test('a client that is too old', async (t) => {
    const line = await failure(t, async (port) => {
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'old.example', ...old });
      await new Promise((resolve) => socket.on('error', resolve));
    });
    assert.deepEqual([line.reason, line.sni, line.alert], ['version', 'old.example', undefined]);
  });

  test('a client that speaks something else', async (t) => {
    const line = await failure(t, async (port) => {
      const socket = connectTcp(port, '127.0.0.1').on('error', () => {});
      socket.write(Buffer.from([0x80, 1, 2, 3]));
      await once(socket, 'close');
    });
    assert.deepEqual([line.reason, line.sni], ['not_tls', '']);
  });

  test('a client that leaves in the middle', async (t) => {
    const line = await failure(t, async (port) => {
      const socket = connectTcp(port, '127.0.0.1').on('error', () => {});
      socket.end(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
      await once(socket.resume(), 'close');
    });
    assert.equal(line.reason, 'client_left');
  });
});

test('the app that goes and comes back is one line each, and its metrics follow', async (t) => {
  const stage = await setStage(t);
  const first = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: first.port });
  assert.equal(await ask(sidecar), 200);
  const told = async () => {
    const metrics = await readMetrics(sidecar);
    return [metrics.sum('app_up'), metrics.sum('ready')];
  };
  assert.deepEqual(await told(), [1, 1]);
  first.closeAllConnections();
  await new Promise((resolve) => first.close(resolve));
  for (let count = 0; count < 3; count++) assert.equal(await ask(sidecar), 502);
  const { level, upstream } = await sidecar.waitForLog('the app does not accept connections');
  assert.deepEqual([level, upstream], ['warn', `127.0.0.1:${first.port}`]);
  await eventually(async () => (await told()).join() === '0,0', { what: 'app_up and ready to be 0' });
  await startApp(t, (_, response) => response.end('the app'), first.port);
  await sidecar.waitForLog('the app accepts connections again');
  assert.equal(await ask(sidecar), 200);
  await endsWell(sidecar);
  assert.equal(lines(sidecar, 'the app does not accept connections').length, 1);
  assert.equal(lines(sidecar, 'the app accepts connections again').length, 1);
});

test('failures that the sidecar answers are warnings, what the app answers is not', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.writeHead(500).end());
  const sidecar = await stage.start({ upstream: app.port });
  const client = await connect({ port: sidecar.port });
  client.send('GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.equal((await client.readResponse()).status, 500);
  client.send('GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  assert.equal((await client.readResponse()).status, 400);
  await client.closed;
  await endsWell(sidecar);
  assert.deepEqual(
    lines(sidecar, 'request').map(({ path, level }) => [path, level]),
    [
      ['/app', 'info'],
      ['/bad', 'warn'],
    ],
  );
});

test('the last reload is the start, and counters that alerts read are there from it', async (t) => {
  const stage = await setStage(t);
  const before = Date.now() / 1000;
  const sidecar = await stage.start({ upstream: await unusedPort() });
  const { body } = await askAdmin(sidecar, '/metrics');
  const reloaded = Number(/^tls_sidecar_certificate_last_reload_success_timestamp_seconds (\S+)$/m.exec(body)?.[1]);
  assert.ok(reloaded >= Math.floor(before) - 1 && reloaded <= Date.now() / 1000);
  for (const series of [
    'failures_total{reason="upstream_refused",side="upstream"}',
    'certificate_reloads_total{result="failed",reason="key_mismatch"}',
    'handshake_failures_total{reason="client_alert"}',
    'connections_rejected_total{reason="max_connections"}',
    'log_lines_dropped_total',
    'spans_dropped_total{reason="queue_full"}',
  ])
    assert.ok(body.includes(`\ntls_sidecar_${series} 0\n`), series);
  await endsWell(sidecar);
});

describe('the last lines are not lost', { concurrency: 2 }, () => {
  const crash = 'data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("on purpose")})';

  async function run(t: TestContext, signal: NodeJS.Signals): Promise<{ messages: unknown[]; code: number | null }> {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end('the app'));
    const args = [
      '--cert',
      stage.volume.path('tls.crt'),
      '--key',
      stage.volume.path('tls.key'),
      '--listen',
      '127.0.0.1:0',
    ];
    const upstream = ['--upstream', `http://127.0.0.1:${app.port}`, '--admin', 'off'];
    const program = launch([...args, ...upstream], { nodeArgs: ['--import', crash] });
    t.after(() => program.child.kill('SIGKILL'));
    const parsed = (): LogLine[] =>
      program
        .stdout()
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const serving = await eventually(() => parsed().find(({ msg }) => msg === 'serving'), { what: 'the line serving' });
    const client = await connect({ port: (serving.listen as { port: number }).port });
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal((await client.readResponse()).status, 200);
    client.end();
    program.child.kill(signal);
    const { code } = await program.exited;
    await client.closed;
    return { messages: parsed().map(({ msg }) => msg), code };
  }

  test('at an uncaught error, which is the last of them', async (t) => {
    const { messages, code } = await run(t, 'SIGUSR2');
    assert.deepEqual(messages.slice(-2), ['request', 'uncaught exception']);
    assert.equal(code, 1);
  });

  test('at SIGTERM', async (t) => {
    const { messages, code } = await run(t, 'SIGTERM');
    assert.ok(messages.includes('request'));
    assert.equal(messages.at(-1), 'stopped');
    assert.equal(code, 0);
  });
});
