// `check` reads the options of `serve` and says, one finding a line, what would go wrong: exit 0 when the sidecar can
// start, 1 when it cannot. An app that is not up yet is a warning, because in a Pod it starts later.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { repositoryRoot, runToExit } from '../support/program.ts';
import { type Stage, setStage } from '../support/stage.ts';

const dayMs = 86_400_000;

type Case = {
  what: string;
  code: 0 | 1;
  says: RegExp[];
  prepare?: (stage: Stage) => Promise<unknown>;
};

const cases: Case[] = [
  {
    what: 'a good pair',
    code: 0,
    says: [/^ok .*tls\.crt and .*tls\.key belong together/m, /^ok .*until 20/m, /^ok .*DNS:localhost/m, /can start\./m],
  },
  {
    what: 'a certificate that is not there',
    code: 1,
    says: [/^failed .*tls\.crt does not exist/m, /cannot start: 1 failed/],
    prepare: (stage) => stage.volume.write({}),
  },
  {
    what: 'a key of another certificate',
    code: 1,
    says: [/^failed .*tls\.key does not belong to/m],
    prepare: async (stage) => stage.volume.write({ ...stage.files(stage.pair), 'tls.key': (await stage.issue()).key }),
  },
  {
    what: 'a chain in the wrong order',
    code: 0,
    says: [/^warning .*tls\.crt is not in order.*mended/m],
    prepare: (stage) =>
      stage.volume.write({ 'tls.crt': stage.authority.pem + stage.pair.chain, 'tls.key': stage.pair.key }),
  },
  {
    what: 'a certificate for clients only',
    code: 0,
    says: [/^warning .*tls\.crt is not for servers.*"server auth"/m],
    prepare: async (stage) =>
      stage.volume.write(stage.files(await stage.authority.issue({ dns: ['localhost'], usage: 'client' }))),
  },
  {
    what: 'a weak key',
    code: 1,
    says: [/^failed .*RSA key in .*tls\.key has 1024 bits/m],
    prepare: async (stage) =>
      stage.volume.write(stage.files(await stage.authority.issue({ dns: ['localhost'], keyType: 'rsa1024' }))),
  },
  {
    what: 'a truncated certificate',
    code: 1,
    says: [/^failed .*tls\.crt is cut off/m],
    prepare: (stage) => stage.volume.write({ 'tls.crt': stage.pair.chain.slice(0, 200), 'tls.key': stage.pair.key }),
  },
  {
    what: 'an expired certificate',
    code: 0,
    says: [/^warning .*expired on 20.*renew/m],
    prepare: async (stage) =>
      stage.volume.write(
        stage.files(await stage.authority.issue({ dns: ['localhost'], notAfter: new Date(Date.now() - dayMs) })),
      ),
  },
  {
    what: 'a certificate that expires within the week',
    code: 0,
    says: [/^warning .*for 2 more days/m],
    prepare: async (stage) =>
      stage.volume.write(
        stage.files(await stage.authority.issue({ dns: ['localhost'], notAfter: new Date(Date.now() + 2.5 * dayMs) })),
      ),
  },
  {
    what: 'a certificate of the future',
    code: 0,
    says: [/^warning .*not valid before 20/m],
    prepare: async (stage) =>
      stage.volume.write(
        stage.files(await stage.authority.issue({ dns: ['localhost'], notBefore: new Date(Date.now() + dayMs) })),
      ),
  },
  {
    what: 'a certificate without names',
    code: 0,
    says: [/^warning .*no subject alternative name/m],
    prepare: async (stage) => stage.volume.write(stage.files(await stage.authority.issue({ commonName: 'localhost' }))),
  },
];

async function check(t: TestContext, more: string[], prepare?: Case['prepare']) {
  const stage = await setStage(t);
  await prepare?.(stage);
  const pair = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  return runToExit(['check', ...pair, ...more]);
}

const freePorts = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

describe('check tells of the certificate', { concurrency: 4 }, () => {
  for (const { what, code, says, prepare } of cases) {
    test(what, async (t) => {
      const outcome = await check(t, freePorts, prepare);
      assert.deepEqual([outcome.code, outcome.stderr], [code, ''], outcome.stdout);
      for (const pattern of says) assert.match(outcome.stdout, pattern);
      for (const line of outcome.stdout.trimEnd().split('\n').slice(0, -1))
        assert.match(line, /^(?:ok|warning|failed) /);
    });
  }
});

test('check looks at every pair, and tells which is never shown', async (t) => {
  const stage = await setStage(t);
  const copy = join(stage.dir, 'copy.pem');
  await writeFile(copy, stage.pair.chain + stage.pair.key);
  const first = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const outcome = await runToExit(['check', ...freePorts, ...first, '--cert', copy, '--key', copy]);
  assert.equal(outcome.code, 0, outcome.stdout);
  assert.match(outcome.stdout, /^ok .*copy\.pem holds a pair: /m);
  assert.match(outcome.stdout, /^warning .*copy\.pem is not served for localhost: another --cert/m);

  // One that has ended stands back, wherever it is given.
  const { chain, key } = await stage.authority.issue({ dns: ['localhost'], notAfter: new Date(Date.now() - 1000) });
  const old = join(stage.dir, 'old.pem');
  await writeFile(old, chain + key);
  const { stdout } = await runToExit([
    'check',
    ...freePorts,
    '--cert',
    old,
    '--cert',
    copy,
    '--key',
    old,
    '--key',
    copy,
  ]);
  assert.match(stdout, /^warning .*old\.pem expired on .*; it would be served for the names that no other --cert/m);
  assert.match(stdout, /^warning .*old\.pem is not served for localhost: another --cert/m);
  assert.doesNotMatch(stdout, /copy\.pem is not served/);
});

test('check with --wait-for-cert warns of what would be waited for', async (t) => {
  const outcome = await check(t, [...freePorts, '--wait-for-cert'], (stage) => stage.volume.write({}));
  assert.equal(outcome.code, 0, outcome.stdout);
  assert.match(outcome.stdout, /^warning .*tls\.crt does not exist; --wait-for-cert waits/m);
});

test('check finds a file that is mounted by itself, as a subPath is', async (t) => {
  if (!needs(t, 'root', 'unshare', 'mount')) return;
  const stage = await setStage(t);
  const path = join(stage.dir, 'mounted.pem');
  await writeFile(path, '');
  await writeFile(join(stage.dir, 'content.pem'), stage.pair.chain + stage.pair.key);
  const command = `mount --bind ${join(stage.dir, 'content.pem')} ${path} && exec "$@"`;
  const node = process.env.TEST_NODE ?? process.execPath;
  const program = [node, join(repositoryRoot, 'dist', 'proxy.js'), 'check', '--cert', path, ...freePorts];
  const { stdout } = spawnSync('unshare', ['--mount', 'sh', '-c', command, 'sh', ...program], { encoding: 'utf8' });
  assert.match(stdout, /^ok .*mounted\.pem holds a pair/m);
  assert.match(stdout, /^warning .*mounted\.pem is mounted as a single file, which never sees a renewal.*directory$/m);
});

test('check tells of ports in use, by option', async (t) => {
  const { port } = await startApp(t, () => {});
  const outcome = await check(t, ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${port}`]);
  // Both the same port is an option error; so the admin port is asked apart.
  assert.equal(outcome.code, 2);
  const listen = await check(t, ['--listen', `127.0.0.1:${port}`, '--admin', 'off']);
  assert.equal(listen.code, 1);
  assert.match(listen.stdout, new RegExp(`^failed .*--listen: .*:${port}.* in use`, 'm'));
  const admin = await check(t, ['--listen', '127.0.0.1:0', '--admin', `127.0.0.1:${port}`]);
  assert.equal(admin.code, 1);
  assert.match(admin.stdout, new RegExp(`^failed .*--admin: .*:${port}.* in use`, 'm'));
});

test('check tells all that is wrong, not only the first', async (t) => {
  const { port } = await startApp(t, () => {});
  const outcome = await check(t, ['--listen', `127.0.0.1:${port}`, '--admin', 'off'], (stage) =>
    stage.volume.write({}),
  );
  assert.equal(outcome.code, 1);
  assert.match(outcome.stdout, /cannot start: 2 failed/);
});

test('check tells whether the app is up, and an app that is not is no failure', async (t) => {
  const app = await startApp(t, () => {});
  const up = await check(t, [...freePorts, '--upstream', `http://127.0.0.1:${app.port}`]);
  assert.equal(up.code, 0);
  assert.match(up.stdout, /^ok .*the app accepts connections on 127\.0\.0\.1:\d+/m);
  const down = await check(t, [...freePorts, '--upstream', `http://127.0.0.1:${await unusedPort()}`]);
  assert.equal(down.code, 0);
  assert.match(down.stdout, /^warning .*the app does not accept connections.*--upstream/m);
});

test('check reads the same file and environment as serve, and leaves the ports free', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const port = await unusedPort();
  const file = join(stage.dir, 'options.yaml');
  const options = {
    cert: stage.volume.path('tls.crt'),
    listen: `127.0.0.1:${port}`,
    admin: '127.0.0.1:0',
    upstream: `http://127.0.0.1:${app.port}`,
  };
  await writeFile(file, JSON.stringify(options));
  const env = { TLS_SIDECAR_KEY: stage.volume.path('tls.key'), TLS_SIDECAR_CONFIG: file };
  const outcome = await runToExit(['check'], { env });
  assert.equal(outcome.code, 0, outcome.stdout);
  const probe = connect({ port, host: '127.0.0.1' });
  await new Promise((resolve) => probe.once('error', resolve));
  const sidecar = await stage.start({ upstream: app.port, listen: `127.0.0.1:${port}` });
  assert.equal(sidecar.port, port);
  await endsWell(sidecar);
});
