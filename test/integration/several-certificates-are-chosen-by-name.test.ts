// Several --cert: the client is shown the certificate of the name that it asks for, exact before wildcard, in any case and
// with or without a dot at the end; the first for no name or an unknown one. Each is rotated, and breaks, for itself.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Issued, LeafKeyType } from '../../certs/authority.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { type ConnectOptions, connect } from '../support/raw-client.ts';
import { createSecretVolume } from '../support/secret-volume.ts';
import { runToExit, type Sidecar } from '../support/sidecar.ts';
import { endsWell, readMetrics, type Stage, setStage, startApp } from '../support/stage.ts';

type Scene = { stage: Stage; upstream: number; issue(dns: string[], keyType?: LeafKeyType): Promise<Issued> };

async function begin(t: TestContext): Promise<Scene> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const issue = (dns: string[], keyType: LeafKeyType = 'ec'): Promise<Issued> =>
    stage.authority.issue({ dns, keyType });
  return { stage, upstream: app.port, issue };
}

/** One volume for each pair, and the options that name them. */
async function volumes({ stage }: Scene, pairs: Issued[]) {
  const made = await Promise.all(pairs.map((_, at) => createSecretVolume(join(stage.dir, `pair${at}`))));
  for (const [at, volume] of made.entries()) await volume.write(stage.files(pairs[at] as Issued));
  const [first, ...others] = made.map((volume) => ({ cert: volume.path('tls.crt'), key: volume.path('tls.key') }));
  const args = others.flatMap(({ cert, key }) => ['--cert', cert, '--key', key]);
  return { made, options: { ...first, args } };
}

async function shown(sidecar: Sidecar, servername: string, tls: Partial<ConnectOptions> = {}): Promise<string> {
  const client = await connect({ port: sidecar.port, servername, ...tls });
  const { serialNumber } = client.socket.getPeerCertificate();
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.equal((await client.readResponse()).status, 200);
  await client.closed;
  return serialNumber;
}

test('by name: exact, wildcard, unknown and none', async (t) => {
  const scene = await begin(t);
  const first = await scene.issue(['first.example']);
  const wild = await scene.issue(['*.wild.example', 'also.example']);
  const exact = await scene.issue(['one.wild.example']);
  const { options } = await volumes(scene, [first, wild, exact]);
  const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options });
  const rows: [name: string, expected: Issued][] = [
    ['first.example', first],
    ['FIRST.example', first],
    ['also.example', wild],
    ['two.wild.example', wild],
    ['Two.Wild.EXAMPLE', wild],
    ['one.wild.example', exact],
    ['ONE.WILD.example', exact],
    ['one.wild.example.', exact],
    ['two.wild.example.', wild],
    ['a.two.wild.example', first],
    ['wild.example', first],
    ['.wild.example', first],
    ['unknown.example', first],
    ['__proto__', first],
    ['', first],
  ];
  for (const minVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const [name, expected] of rows) {
      const seen = await shown(sidecar, name, { minVersion, maxVersion: minVersion });
      assert.equal(seen, expected.serial, `${minVersion} ${name}`);
    }
  }
  await endsWell(sidecar);
});

test('HTTP/2 and resumption work for every name', async (t) => {
  const scene = await begin(t);
  const pairs = [await scene.issue(['localhost']), await scene.issue(['other.example'])];
  const { options } = await volumes(scene, pairs);
  const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options });
  for (const servername of ['localhost', 'other.example']) {
    const offering = { port: sidecar.port, servername, alpn: ['h2', 'http/1.1'] };
    const client = await connect(offering);
    assert.equal(client.socket.alpnProtocol, 'h2', servername);
    const session = await eventually(() => client.session, { what: 'a ticket' });
    client.destroy();
    const again = await connect({ ...offering, session });
    assert.equal(again.socket.isSessionReused(), true, servername);
    again.destroy();
  }
  const h2 = await openH2Client(sidecar.port, scene.stage.authority.rootPem);
  assert.equal((await h2.request({ ':method': 'GET' })).status, 200);
  h2.close();
  await endsWell(sidecar);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`ECDSA beside RSA for one name: each client gets what it can do (${version})`, async (t) => {
    const scene = await begin(t);
    const rsa = await scene.issue(['both.example'], 'rsa');
    const ecdsa = await scene.issue(['both.example']);
    const { options } = await volumes(scene, [rsa, ecdsa]);
    const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options });
    const only = { minVersion: version, maxVersion: version };
    const rsaOnly =
      version === 'TLSv1.2' ? { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' } : { sigalgs: 'rsa_pss_rsae_sha256' };
    for (const name of ['both.example', 'unknown.example', '']) {
      assert.equal(await shown(sidecar, name, only), ecdsa.serial, name);
      assert.equal(await shown(sidecar, name, { ...only, tls: rsaOnly }), rsa.serial, name);
    }
    await endsWell(sidecar);
  });
}

test('each pair is rotated and broken for itself, and labels its own metrics', async (t) => {
  const scene = await begin(t);
  const { stage } = scene;
  const pairs = [await scene.issue(['a.example']), await scene.issue(['b.example'])];
  const { made, options } = await volumes(scene, pairs);
  const sidecar = await stage.start({ upstream: scene.upstream, ...options });
  const [first, second] = made;
  assert.ok(first && second);
  await first.write({ 'tls.crt': 'garbage', 'tls.key': 'garbage' });
  const refused = await sidecar.waitForLog(({ msg }) => /^certificate not reloaded/.test(String(msg)));
  assert.deepEqual([refused.name, refused.reason], [first.path('tls.crt'), 'no_certificate']);

  const next = await scene.issue(['b.example', 'c.example']);
  await second.write(stage.files(next));
  const taken = async (): Promise<boolean> => (await shown(sidecar, 'c.example')) === next.serial;
  await eventually(taken, { what: 'the new second pair, with its new name', deadlineMs: 12_000 });
  assert.equal(await shown(sidecar, 'b.example'), next.serial);
  assert.equal(await shown(sidecar, 'a.example'), pairs[0]?.serial);
  const metrics = await readMetrics(sidecar);
  const differs = made.map((volume) => metrics.sum('certificate_disk_differs', { name: volume.path('tls.crt') }));
  assert.deepEqual(differs, [1, 0]);
  const ends = made.map((volume) =>
    metrics.sum('certificate_not_after_timestamp_seconds', { name: volume.path('tls.crt') }),
  );
  assert.ok(ends.every((end) => end > Date.now() / 1000));

  const mended = await scene.issue(['a.example']);
  await first.write(stage.files(mended));
  await eventually(async () => (await shown(sidecar, '')) === mended.serial, { what: 'the mended default' });
  await endsWell(sidecar);
});

for (const [what, content] of [
  ['the chain first', ({ chain, key }: Issued) => chain + key],
  ['the key first, as podCertificate writes it', ({ chain, key }: Issued) => key + chain],
] as const) {
  test(`a pair in one file, ${what}, is served and rotated; the default --key is not asked for`, async (t) => {
    const scene = await begin(t);
    const { stage } = scene;
    const [one, two] = [await scene.issue(['one.example']), await scene.issue(['two.example'])];
    const volume = await createSecretVolume(join(stage.dir, 'bundles'));
    await volume.write({ 'one.pem': content(one), 'two.pem': content(two) });
    const sidecar = await stage.start({
      upstream: scene.upstream,
      cert: volume.path('one.pem'),
      key: [],
      args: ['--cert', volume.path('two.pem')],
      env: { TLS_SIDECAR_CERT: '/etc/tls-sidecar/certs/tls.crt', TLS_SIDECAR_KEY: '/etc/tls-sidecar/certs/tls.key' },
    });
    assert.equal(await shown(sidecar, ''), one.serial);
    assert.equal(await shown(sidecar, 'two.example'), two.serial);
    const next = await scene.issue(['one.example']);
    await volume.write({ 'one.pem': content(next), 'two.pem': content(two) });
    await eventually(async () => (await shown(sidecar, '')) === next.serial, { what: 'the next', deadlineMs: 2000 });
    await endsWell(sidecar);
  });
}

test('all pairs that are wrong at the start are told at once', async (t) => {
  const { stage } = await begin(t);
  const good = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const alone = join(stage.dir, 'alone.crt');
  await writeFile(alone, stage.pair.chain);
  const missing = [
    '--cert',
    '/no/such.crt',
    '--key',
    '/no/such.key',
    '--cert',
    '/no/other.crt',
    '--key',
    '/no/other.key',
  ];
  const told = await runToExit([...good, ...missing]);
  assert.equal(told.code, 2);
  assert.equal(
    told.stderr,
    ['such', 'other'].map((name) => `tls-sidecar: /no/${name}.crt does not exist; see --cert and --key\n`).join(''),
  );
  const keyless = await runToExit(['--cert', stage.volume.path('tls.crt'), '--cert', alone]);
  assert.equal(keyless.code, 2);
  assert.match(keyless.stderr, /alone\.crt holds no private key, and no --key is given for it/);
});

test('different kinds of key for different names are refused at the start: Node could show the wrong one', async (t) => {
  const scene = await begin(t);
  const pairs = [await scene.issue(['first.example']), await scene.issue(['second.example'], 'rsa')];
  const { options } = await volumes(scene, pairs);
  const args = [
    '--cert',
    String(options.cert),
    '--key',
    String(options.key),
    ...options.args,
    '--listen',
    '127.0.0.1:0',
  ];
  const { code, stderr } = await runToExit([...args, '--admin', 'off']);
  assert.equal(code, 2);
  assert.match(stderr, /different names and different kinds of key \(ec, rsa\)/);
});
