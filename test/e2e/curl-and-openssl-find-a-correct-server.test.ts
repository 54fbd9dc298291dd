// curl and OpenSSL, which share no code with Node's HTTP and speak TLS as most clients do, find what they expect.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, type Stage, setStage } from '../support/stage.ts';

type Outcome = { code: number; stdout: string; stderr: string };
type Scene = { stage: Stage; sidecar: Sidecar };

function run(command: string, args: string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

async function begin(t: TestContext, args: string[] = []): Promise<Scene> {
  const stage = await setStage(t);
  const app = await startApp(t, async (request, response) => {
    const hash = createHash('sha256');
    for await (const chunk of request as AsyncIterable<Buffer>) hash.update(chunk);
    response.end(request.method === 'GET' ? "the app's page" : hash.digest('hex'));
  });
  return { stage, sidecar: await stage.start({ upstream: app.port, args }) };
}

for (const forwarder of forwarders) {
  test(`curl -k gets the page, and uploads after 100 Continue (${forwarder})`, async (t) => {
    if (!needs(t, 'curl')) return;
    const { stage, sidecar } = await begin(t, ['--forwarder', forwarder]);
    const url = `https://localhost:${sidecar.port}/`;
    assert.deepEqual(await run('curl', ['-sSk', url]), { code: 0, stdout: "the app's page", stderr: '' });
    assert.deepEqual(await run('curl', ['-sS', '--http1.1', '--cacert', await caFile(stage), url]), {
      code: 0,
      stdout: "the app's page",
      stderr: '',
    });
    const bytes = randomBytes(3 << 20);
    const file = join(stage.dir, 'upload');
    await writeFile(file, bytes);
    const upload = ['-sSkv', '--http1.1', '-H', 'Expect: 100-continue', '--expect100-timeout', '10', '-T', file, url];
    const { code, stdout, stderr } = await run('curl', upload);
    assert.deepEqual([code, stdout], [0, createHash('sha256').update(bytes).digest('hex')]);
    assert.match(stderr, /< HTTP\/1\.1 100 Continue/);
    assert.match(stderr, /> Expect: 100-continue/);
    const head = await run('curl', ['-sSkI', '--http1.1', url]);
    assert.match(head.stdout, /^HTTP\/1\.1 200 OK\r\n/);
    const twice = await run('curl', ['-sSk', '--http1.1', '-w', '%{num_connects};', url, url]);
    assert.equal(twice.stdout, "the app's page1;the app's page0;");
    await endsWell(sidecar);
  });
}

async function caFile(stage: Stage): Promise<string> {
  const path = join(stage.dir, 'ca.pem');
  await writeFile(path, stage.authority.rootPem);
  return path;
}

test('OpenSSL: TLS 1.2 and 1.3 with strong suites, nothing older, http/1.1 by ALPN', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { sidecar } = await begin(t);
  const shake = (...args: string[]): Promise<Outcome> =>
    run('openssl', ['s_client', '-connect', `127.0.0.1:${sidecar.port}`, '-servername', 'localhost', ...args]);

  const newest = await shake('-tls1_3', '-alpn', 'http/1.1');
  assert.equal(newest.code, 0, newest.stderr);
  assert.match(newest.stdout, /TLSv1\.3, Cipher is TLS_AES_128_GCM_SHA256/);
  assert.match(newest.stdout, /ALPN protocol: http\/1\.1/);
  const older = await shake('-tls1_2', '-alpn', 'http/1.1');
  assert.equal(older.code, 0, older.stderr);
  assert.match(older.stdout, /TLSv1\.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256/);
  assert.match(older.stdout, /ALPN protocol: http\/1\.1/);
  assert.match((await shake('-tls1_3')).stdout, /No ALPN negotiated/);

  for (const version of ['-tls1_1', '-tls1']) {
    const refused = await shake(version, '-cipher', 'DEFAULT:@SECLEVEL=0');
    assert.notEqual(refused.code, 0, `${version} was accepted`);
    assert.match(refused.stdout + refused.stderr, /protocol version|Cipher is \(NONE\)/);
  }
  for (const suite of ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'PSK', 'NULL']) {
    const refused = await shake('-tls1_2', '-cipher', `${suite}:@SECLEVEL=0`);
    assert.notEqual(refused.code, 0, `${suite} was accepted`);
  }
  assert.notEqual((await shake('-tls1_3', '-alpn', 'nonsense')).code, 0);
  await endsWell(sidecar);
});

test('OpenSSL: the whole chain is sent, and renegotiation and compression are not offered', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { stage, sidecar } = await begin(t);
  const intermediate = await (await stage.authority.intermediate({ commonName: 'one' })).intermediate({
    commonName: 'two',
  });
  const issued = await intermediate.issue({ dns: ['localhost'] });
  await stage.volume.write(stage.files(issued));
  await sidecar.waitForLog('certificate reloaded');
  const { code, stdout, stderr } = await run('openssl', [
    ...['s_client', '-connect', `127.0.0.1:${sidecar.port}`, '-servername', 'localhost', '-showcerts'],
    ...['-CAfile', await caFile(stage), '-verify_return_error', '-verify_hostname', 'localhost', '-tls1_2'],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Verify return code: 0 \(ok\)/);
  assert.match(stdout, /Compression: NONE/);
  assert.equal(stdout.match(/-----BEGIN CERTIFICATE-----/g)?.length, 3);
  await endsWell(sidecar);
});

test('OpenSSL may not renegotiate: the connection goes on as it was agreed on', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { sidecar } = await begin(t);
  const address = ['-connect', `127.0.0.1:${sidecar.port}`];
  // It takes a line with an R alone as the order to renegotiate.
  const { stdout, stderr } = await run('openssl', ['s_client', ...address, '-tls1_2'], 'R\n');
  assert.match(stdout + stderr, /RENEGOTIATING\n[\s\S]*no renegotiation/);
  await endsWell(sidecar);
});

test('OpenSSL resumes its session', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { stage, sidecar } = await begin(t);
  const session = join(stage.dir, 'session');
  const shake = (...args: string[]): Promise<Outcome> =>
    run('openssl', ['s_client', '-connect', `127.0.0.1:${sidecar.port}`, '-tls1_2', ...args]);
  assert.match((await shake('-sess_out', session)).stdout, /^New, TLSv1\.2/m);
  assert.match((await shake('-sess_in', session)).stdout, /^Reused, TLSv1\.2/m);
  await endsWell(sidecar);
});
