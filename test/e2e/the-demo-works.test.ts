// `npm run demo`, without the build that comes first: it prints the URL to try, curl -k gets the app's page there, and
// Ctrl-C ends everything and leaves nothing behind.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { repositoryRoot } from '../support/program.ts';

const run = promisify(execFile);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the demo serves its page, until ${signal}`, async (t) => {
    if (!needs(t, 'curl')) return;
    const temporary = await mkdtemp(join(tmpdir(), 'demo-test-'));
    t.after(() => rm(temporary, { recursive: true, force: true }));
    const demo = spawn(process.execPath, ['--import', 'tsx', join(repositoryRoot, 'test', 'demo', 'demo.ts')], {
      cwd: repositoryRoot,
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => demo.kill('SIGKILL'));
    let said = '';
    for (const stream of [demo.stdout, demo.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk;
      });
    }
    const made = async (): Promise<string[]> =>
      (await readdir(temporary)).filter((name) => name.startsWith('tls-sidecar-demo-'));

    const url = await eventually(() => /curl -k (https:\/\/\S+)\n/.exec(said)?.[1], {
      what: 'the line to try',
    });
    assert.match(said, /tls-sidecar is serving HTTPS/);
    assert.equal((await made()).length, 1);
    const page = await run('curl', ['-sSk', url]);
    assert.match(page.stdout, /<h1>A plain HTTP app<\/h1>/);
    assert.match(page.stdout, /X-Forwarded-Proto<\/th><td>https</);
    const upload = ['-sSk', '--data-binary', `@${join(repositoryRoot, 'package.json')}`, `${url}upload`];
    assert.match((await run('curl', upload)).stdout, /"sha256": "[0-9a-f]{64}"/);
    await eventually(() => /200 {2}GET +\/ /.test(said), { what: 'the request to be shown' });

    const exited = once(demo, 'exit');
    demo.kill(signal);
    assert.deepEqual(await exited, [0, null], said);
    assert.deepEqual(await made(), []);
    await assert.rejects(run('curl', ['-sSk', url]), 'it still serves');
  });
}
