// testssl.sh, which makes its handshakes byte by byte, finds nothing worse than informational: protocols, suites, forward
// secrecy, the server's order, and the known vulnerabilities; with client certificates asked for, too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { setStage } from '../support/stage.ts';

type Finding = { id: string; severity: string; finding: string };

/** It starts openssl a thousand times: below a minute on a quiet machine. */
const PATIENCE_MS = 9 * 60_000;

const parts = ['--protocols', '--std', '--fs', '--server-preference', '--vulnerable'];

test('testssl.sh finds nothing worse than informational', { timeout: PATIENCE_MS + 20_000 }, async (t) => {
  if (!needs(t, 'testssl', 'openssl')) return;
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('fine'));
  const [file, ca] = [join(stage.dir, 'found.json'), join(stage.dir, 'ca.pem')];
  await writeFile(ca, stage.authority.pem);
  const args = ['--client-ca', ca, '--client-auth', 'request', '--access-log', 'off'];
  const sidecar = await stage.start({ upstream: app.port, args });
  const all = ['--warnings', 'off', '--quiet', '--color', '0', '--jsonfile', file, ...parts];
  const said = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      'testssl',
      [...all, `127.0.0.1:${sidecar.port}`],
      // It warns of a machine's openssl that knows no GOST, among its findings about the server.
      { timeout: PATIENCE_MS, env: { ...process.env, NO_ENGINE: 'true' } },
      (error, stdout, stderr) => {
        if (error?.killed)
          reject(new Error(`testssl.sh is not done after ${PATIENCE_MS / 60_000} minutes:\n${stdout}`));
        else resolve(stdout + stderr);
      },
    );
    child.stdin?.end();
  });
  const found = JSON.parse(await readFile(file, 'utf8')) as Finding[];
  const ids = found.map(({ id }) => id);
  for (const id of ['TLS1_2', 'TLS1_3', 'heartbleed', 'secure_client_renego', 'ROBOT', 'BEAST'])
    assert.ok(ids.includes(id), `${id} was not looked at:\n${said}`);
  assert.deepEqual(
    found.filter(({ severity }) => !['OK', 'INFO'].includes(severity)),
    [],
  );
  t.diagnostic(`${found.length} findings, all OK or INFO`);
  await endsWell(sidecar);
});
