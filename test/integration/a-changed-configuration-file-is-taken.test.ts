// The file of --config is watched: a ConfigMap that the kubelet swaps, a file that is written in place or replaced. What can
// change is taken, what cannot is named once, a mistake changes nothing. /status tells what is in force and why.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askAdmin } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import { createSecretVolume } from '../support/secret-volume.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

async function begin(
  t: TestContext,
  content: string,
  given: { args?: string[]; env?: Record<string, string | undefined> } = {},
) {
  const stage = await setStage(t);
  const app = await startApp(t, (request, response) => {
    if (request.url !== '/never') response.end('the app');
  });
  const volume = await createSecretVolume(join(stage.dir, 'config'));
  await volume.write({ 'options.yaml': content });
  const file = volume.path('options.yaml');
  const sidecar = await stage.start({ upstream: app.port, ...given, args: ['--config', file, ...(given.args ?? [])] });
  const swap = (next: string): Promise<boolean> => volume.write({ 'options.yaml': next });
  return { stage, sidecar, swap, file, app };
}

type Told = Record<string, { value: unknown; from: string }>;

async function inForce(sidecar: Sidecar): Promise<Told> {
  return JSON.parse((await askAdmin(sidecar, '/status')).body).configuration.options;
}

function count(sidecar: Sidecar, msg: string): number {
  return sidecar.logs.filter((line) => line.msg === msg).length;
}

async function ask(sidecar: Sidecar): Promise<void> {
  const client = await connect({ port: sidecar.port });
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.equal((await client.readResponse()).status, 200);
  client.end();
  await client.closed;
}

test('a swapped ConfigMap is taken without a signal, and what needs a restart is named once', async (t) => {
  const { sidecar, swap } = await begin(t, 'access-log: all\nidle-timeout: 70s\n');
  await swap('access-log: errors\nidle-timeout: 60s\n');
  const restart = await sidecar.waitForLog('changed options need a restart; the old values stay');
  const taken = await sidecar.waitForLog('configuration reloaded');
  assert.deepEqual([restart.options, taken.options], [['idle-timeout'], ['access-log']]);
  await ask(sidecar);
  const { 'access-log': accessLog, 'idle-timeout': idle, plaintext } = await inForce(sidecar);
  assert.deepEqual(accessLog, { value: 'errors', from: 'file' });
  assert.deepEqual(idle, { value: '70s', from: 'file' });
  assert.deepEqual(plaintext, { value: 'reject', from: 'default' });
  await swap('access-log: all\nidle-timeout: 60s\n');
  await eventually(() => count(sidecar, 'configuration reloaded') === 2, { what: 'the second swap' });
  await endsWell(sidecar);
  assert.equal(count(sidecar, 'request'), 0);
});

test('a file written in place, or replaced, is taken, too', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const file = join(stage.dir, 'options.yaml');
  await writeFile(file, 'log-level: info\n');
  const sidecar = await stage.start({ upstream: app.port, args: ['--config', file] });
  await writeFile(file, 'log-level: info\naccess-log: errors\n');
  await sidecar.waitForLog('configuration reloaded');
  await writeFile(`${file}.new`, 'log-level: info\naccess-log: all\n');
  await rename(`${file}.new`, file);
  await eventually(() => count(sidecar, 'configuration reloaded') === 2, { what: 'the replaced file' });
  await endsWell(sidecar);
});

test('a mistake is one line, changes nothing, and is over when the file is mended', async (t) => {
  const { sidecar, swap } = await begin(t, 'access-log: all\n');
  await swap('access-log: none\nidle-timeout: 5\n');
  const { problems } = await sidecar.waitForLog('configuration not reloaded; the old settings stay');
  assert.equal((problems as string[]).length, 2);
  assert.deepEqual((await inForce(sidecar))['access-log'], { value: 'all', from: 'file' });
  await swap('access-log: all\n');
  await sidecar.waitForLog('the configuration is again the one that is in force');
  await endsWell(sidecar);
  assert.equal(count(sidecar, 'configuration not reloaded; the old settings stay'), 1);
});

test('the drain time-out is the one that is in force when the sidecar is stopped', async (t) => {
  const { sidecar, swap, app } = await begin(t, 'drain-timeout: 20s\n', {
    env: { TLS_SIDECAR_DRAIN_TIMEOUT: undefined },
  });
  await swap('drain-timeout: 100ms\n');
  const { options } = await sidecar.waitForLog('configuration reloaded');
  assert.deepEqual(options, ['drain-timeout']);
  const client = await connect({ port: sidecar.port });
  client.send('GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(app, 'request');
  // Killed after 10 s, which the first time-out would have been longer than.
  assert.deepEqual(await sidecar.stop('SIGTERM', 10_000), { code: 0, signal: null });
  await client.closed;
});

test('a hangup without a change says so', async (t) => {
  const { sidecar } = await begin(t, 'access-log: all\n');
  sidecar.kill('SIGHUP');
  await sidecar.waitForLog('nothing to reload: nothing has changed');
  await endsWell(sidecar);
  assert.equal(count(sidecar, 'configuration reloaded'), 0);
});

test('what is probably not meant is told at the start and by check: a mistyped variable, an app outside the Pod', async (t) => {
  const env = {
    TLS_SIDECAR_ACCES_LOG: 'errors',
    TLS_SIDECAR_PORT: 'tcp://10.0.0.1:8080',
    TLS_SIDECAR_SERVICE_HOST: '10.0.0.1',
    TLS_SIDECAR_PORT_8080_TCP_ADDR: '10.0.0.1',
  };
  const { sidecar, file, stage } = await begin(t, 'access-log: all\n', {
    env,
    args: ['--upstream-connect-timeout', '1s'],
  });
  await sidecar.waitForLog('the configuration needs attention');
  await endsWell(sidecar);
  const details = sidecar.logs
    .filter(({ msg }) => msg === 'the configuration needs attention')
    .map((line) => line.detail);
  assert.deepEqual(details, [
    'TLS_SIDECAR_ACCES_LOG names no option, and is ignored; did you mean TLS_SIDECAR_ACCESS_LOG?',
  ]);
  const { code, stdout } = await runToExit(
    [
      ...['check', '--config', file, '--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')],
      ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', 'http://192.0.2.1:80'],
    ],
    { env },
  );
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^warning .*TLS_SIDECAR_ACCES_LOG names no option.*TLS_SIDECAR_ACCESS_LOG\?$/m);
  assert.match(stdout, /^warning .*192\.0\.2\.1 is no loopback address.*plain text$/m);
  assert.match(stdout, /^ok .*--access-log all \(file\)$/m);
  assert.match(stdout, /^ok .*--admin 127\.0\.0\.1:0 \(flag\)$/m);
  assert.match(stdout, /^ok .*--idle-timeout 75s \(default\)$/m);
  assert.match(stdout, /^ok .*--client-ca none \(default\)$/m);
  assert.doesNotMatch(stdout, /TLS_SIDECAR_PORT|TLS_SIDECAR_SERVICE/);
});

test('what is put in the place of the file, and is none, is told, and nobody waits for it', async (t) => {
  const { sidecar, file } = await begin(t, 'access-log: all\n');
  const [plain, fifo] = [`${file}.plain`, `${file}.fifo`];
  execFileSync('mkfifo', [fifo]);
  await rename(fifo, file);
  const refused = await sidecar.waitForLog(({ problems }) => String(problems).includes('is not a regular file'));
  assert.equal(refused.level, 'error');
  await ask(sidecar);
  await writeFile(plain, 'access-log: errors\n');
  await rename(plain, file);
  await sidecar.waitForLog('configuration reloaded');
  await endsWell(sidecar);
});
