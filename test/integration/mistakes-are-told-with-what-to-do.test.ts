// What somebody new to it does wrong, on the real program: each mistake has a message that names the thing, says what is
// right and, where there is one, the command that mends it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { needs } from '../support/needs.ts';
import { runToExit } from '../support/program.ts';
import { setStage } from '../support/stage.ts';

const authority = await createAuthority();
const pair = await authority.issue({ dns: ['localhost'] });
const der = new X509Certificate(pair.cert).raw;
/** The head of a PFX (RFC 7292): SEQUENCE, INTEGER 3, SEQUENCE of signed data. */
const pfx = Buffer.concat([Buffer.from('308209a1020103308209', 'hex'), Buffer.alloc(200)]);
const request = pair.cert.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST');

type Mistake = {
  what: string;
  args?: string[];
  env?: Record<string, string>;
  /** In the working directory. */
  files?: Record<string, string | Buffer>;
  /** One line of stderr each, in this order, without the name of the program before it; exit code 2. */
  says: (RegExp | string)[];
};

const mistakes: Mistake[] = [
  {
    what: 'app and sidecar on one port',
    args: ['--upstream', 'http://localhost:8080'],
    says: [/^--upstream and --listen are the same port 8080: .*, as --listen :8443$/],
  },
  {
    what: 'the admin port as the app',
    args: ['--upstream', 'http://127.0.0.1:9901'],
    says: [/^--upstream and --admin are the same port 9901: .*, as --admin :9902$/],
  },
  {
    what: 'no certificate yet',
    says: [
      /^certs\/tls\.crt does not exist \(in full: \/.*\/certs\/tls\.crt\); see --cert and --key; to try, make one: mkdir -p certs && openssl req -x509 .* -keyout certs\/tls\.key -out certs\/tls\.crt$/,
    ],
  },
  {
    what: 'PKCS#12 as the certificate',
    args: ['--cert', 'web.p12'],
    files: { 'web.p12': pfx },
    says: [
      /^web\.p12 holds no PEM certificate: it is binary \(PKCS#12.*openssl pkcs12 -in web\.p12 -nodes -out bundle\.pem, and give --cert bundle\.pem alone/,
    ],
  },
  {
    what: 'PKCS#12 as both',
    args: ['--cert', 'web.p12', '--key', 'web.p12'],
    files: { 'web.p12': pfx },
    says: [/openssl pkcs12 -in web\.p12/],
  },
  {
    what: 'DER',
    args: ['--cert', 'web.der', '--key', 'web.key'],
    files: { 'web.der': der, 'web.key': pair.key },
    says: [
      /^web\.der holds no PEM certificate: it is binary \(DER\); convert it: openssl x509 -inform der -in web\.der/,
    ],
  },
  {
    what: 'certificate and key swapped',
    args: ['--cert', 'web.key', '--key', 'web.crt'],
    files: { 'web.crt': pair.cert, 'web.key': pair.key },
    says: ['web.key holds no PEM certificate, but a private key: are --cert and --key swapped?'],
  },
  {
    what: 'the certificate twice',
    args: ['--cert', 'web.crt', '--key', 'web.crt'],
    files: { 'web.crt': pair.cert },
    says: [/^web\.crt holds no PEM private key, but a certificate: .*is the certificate given twice\?$/],
  },
  {
    what: 'a certificate request',
    args: ['--cert', 'web.csr', '--key', 'web.key'],
    files: { 'web.csr': request, 'web.key': pair.key },
    says: ['web.csr holds no PEM certificate, but a certificate request, which an authority has to sign first'],
  },
  {
    what: 'a switch with a word that it does not take',
    args: ['--http2', 'maybe'],
    says: ['--http2 takes one of true, false; the flag says "maybe"'],
  },
  {
    what: 'a switch that takes its value with = only elsewhere',
    args: ['check', '--wait-for-cert', 'yes'],
    says: ['--wait-for-cert takes one of true, false; the flag says "yes"'],
  },
  {
    what: 'an empty variable',
    env: { TLS_SIDECAR_CLIENT_CA: '' },
    says: ['--client-ca has an empty value in TLS_SIDECAR_CLIENT_CA; give it one, or leave the option out'],
  },
  {
    what: 'a client CA, and nobody asked',
    args: ['--client-ca', 'ca.pem', '--client-auth', 'off'],
    says: [/^--client-ca is given, and --client-auth off asks no client for a certificate; leave one of them out$/],
  },
];

async function emptyDirectory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tls-sidecar-test-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

describe('a mistake is told', { concurrency: 3 }, () => {
  for (const { what, args = [], env = {}, files = {}, says } of mistakes) {
    test(what, async (t) => {
      const cwd = await emptyDirectory(t);
      for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content);
      const { code, stdout, stderr } = await runToExit(args, { env, cwd });
      assert.deepEqual([code, stdout], [2, ''], stderr);
      const lines = stderr.trimEnd().split('\n');
      assert.equal(lines.length, says.length, stderr);
      for (const [at, wanted] of says.entries()) {
        const line = (lines[at] ?? '').replace(/^tls-sidecar: /, '');
        if (typeof wanted === 'string') assert.equal(line, wanted);
        else assert.match(line, wanted);
      }
    });
  }
});

test('the command that makes a certificate makes one that can be served', async (t) => {
  if (!needs(t, 'openssl')) return;
  const cwd = await emptyDirectory(t);
  const ports = ['--listen', '127.0.0.1:0', '--admin', 'off'];
  const { stdout } = await runToExit(['check', ...ports], { cwd });
  const command = /^failed .*to try, make one: (.*)$/m.exec(stdout)?.[1] ?? '';
  assert.match(command, /^mkdir -p certs && openssl/);
  execFileSync('sh', ['-c', command], { cwd, stdio: 'ignore' });
  const { code, stdout: then } = await runToExit(['check', ...ports], { cwd });
  assert.equal(code, 0, then);
});

test('the command that converts PKCS#12 makes a bundle that can be served', async (t) => {
  if (!needs(t, 'openssl')) return;
  const cwd = await emptyDirectory(t);
  await writeFile(join(cwd, 'both.pem'), pair.cert + pair.key);
  execFileSync('openssl', ['pkcs12', '-export', '-in', 'both.pem', '-out', 'web.p12', '-passout', 'pass:'], { cwd });
  const { stderr } = await runToExit(['--cert', 'web.p12'], { cwd });
  const command = /convert it: (openssl pkcs12 .*bundle\.pem), and/.exec(stderr)?.[1] ?? '';
  execFileSync('sh', ['-c', `${command} -passin pass:`], { cwd, stdio: 'ignore' });
  const { code, stdout } = await runToExit(
    ['check', '--cert', 'bundle.pem', '--listen', '127.0.0.1:0', '--admin', 'off'],
    { cwd },
  );
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^ok .*bundle\.pem holds a pair/m);
});

for (const [args, says] of [
  [['-h'], /^tls-sidecar \[serve\]/],
  [['check', '-h'], /--upstream-timeout/],
  [['-v'], /^\d+\.\d+\.\d+\n$/],
] as const) {
  test(`${args.join(' ')} is answered`, async () => {
    const { code, stdout, stderr } = await runToExit(args);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, says);
  });
}

test('a switch takes its value behind a blank, too, and a command is no value', async (t) => {
  const stage = await setStage(t);
  const pairArgs = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const { code, stdout } = await runToExit([
    '--http2',
    'check',
    ...pairArgs,
    '--listen',
    '127.0.0.1:0',
    '--admin',
    'off',
  ]);
  assert.equal(code, 0, stdout);
  const { stdout: off } = await runToExit([
    ...['check', '--http2', 'false', ...pairArgs, '--listen', '127.0.0.1:0', '--admin', 'off'],
  ]);
  assert.match(off, /^ok .*--http2 false \(flag\)$/m);
});

test('check beside a running sidecar knows its ports, and fails for those of others', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({
    upstream: app.port,
    listen: `127.0.0.1:${await unusedPort()}`,
    admin: '127.0.0.1:0',
  });
  const args = (listen: number) => [
    ...['check', '--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')],
    ...['--listen', `127.0.0.1:${listen}`, '--admin', `127.0.0.1:${sidecar.adminPort}`],
    ...['--upstream', `http://127.0.0.1:${app.port}`],
  ];
  const own = await runToExit(args(sidecar.port));
  assert.equal(own.code, 0, own.stdout);
  for (const flag of ['listen', 'admin'])
    assert.match(
      own.stdout,
      new RegExp(`^ok +--${flag}: port \\d+ is in use by a sidecar that runs already \\(pid ${sidecar.pid},`, 'm'),
    );
  assert.match(own.stdout, new RegExp(`^A sidecar runs already \\(pid ${sidecar.pid}\\)`, 'm'));

  const stranger = await startApp(t, (_, response) => response.end('{}'));
  const other = await runToExit(args(stranger.port));
  assert.equal(other.code, 1, other.stdout);
  assert.match(other.stdout, /^failed +--listen: .* in use by another process; take another port, as --listen :\d+$/m);
});

test('tls-sidecar is a command of the image, which needs no shell and no env', async (t) => {
  const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
  assert.match(dockerfile, /^COPY --from=build \/build\/tls-sidecar \/usr\/local\/bin\/tls-sidecar$/m);
  const [, shebang, script = ''] = /printf '#!(\S+?)\\n(.*?)\\n' > \/build\/tls-sidecar/.exec(dockerfile) ?? [];
  assert.equal(shebang, '/nodejs/bin/node');
  const dir = await emptyDirectory(t);
  const launcher = join(dir, 'tls-sidecar');
  const program = new URL('../../dist/proxy.js', import.meta.url).pathname;
  await writeFile(launcher, `${script.replace('/app/proxy.js', program)}\n`);
  const { code, stdout } = await runToExit(['--version'], { program: launcher });
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});
