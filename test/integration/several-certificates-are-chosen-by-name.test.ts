// Several --cert: the client is shown the certificate of the name that it asks for, exact before wildcard, in any case and
// with or without a dot at the end; the first for no name or an unknown one. Each is rotated, and breaks, for itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Issued, LeafKeyType } from '../../certs/authority.ts';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import type { LogLine } from '../support/log-lines.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { type ConnectOptions, connect, connectPlain } from '../support/raw-client.ts';
import { createSecretVolume } from '../support/secret-volume.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Stage, setStage } from '../support/stage.ts';
import { withoutPoll } from '../support/without-poll.ts';

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
  await eventually(taken, { what: 'the new second pair, with its new name' });
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
      env: {
        ...withoutPoll,
        TLS_SIDECAR_CERT: '/etc/tls-sidecar/certs/tls.crt',
        TLS_SIDECAR_KEY: '/etc/tls-sidecar/certs/tls.key',
      },
    });
    assert.equal(await shown(sidecar, ''), one.serial);
    assert.equal(await shown(sidecar, 'two.example'), two.serial);
    const next = await scene.issue(['one.example']);
    await volume.write({ 'one.pem': content(next), 'two.pem': content(two) });
    await eventually(async () => (await shown(sidecar, '')) === next.serial, {
      what: 'the next',
    });
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

const ONLY = {
  'TLSv1.2': { ec: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, rsa: { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' } },
  'TLSv1.3': { ec: { sigalgs: 'ecdsa_secp256r1_sha256' }, rsa: { sigalgs: 'rsa_pss_rsae_sha256' } },
} as const;
const KINDS: readonly LeafKeyType[][] = [['ec'], ['rsa'], ['ec', 'rsa'], ['rsa', 'ec']];
type OfKinds = Partial<Record<LeafKeyType, Issued>>;

async function ofKinds(scene: Scene, dns: string[], kinds: readonly LeafKeyType[]): Promise<[Issued[], OfKinds]> {
  const issued = await Promise.all(kinds.map((kind) => scene.issue(dns, kind)));
  return [issued, Object.fromEntries(kinds.map((kind, at) => [kind, issued[at]]))];
}

/** Each name shows its own certificates only, to clients that take both kinds of key, and to those that take one. */
async function eachItsOwn(sidecar: Sidecar, served: readonly [name: string, own: OfKinds][]): Promise<void> {
  for (const [name, own] of served) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { minVersion: version, maxVersion: version };
      const wanted = (own.ec ?? own.rsa)?.serial;
      assert.equal(await shown(sidecar, name, options), wanted, `${name} ${version}`);
      for (const kind of ['ec', 'rsa'] as const) {
        const tls = ONLY[version][kind];
        const serial = await shown(sidecar, name, { ...options, tls }).catch((error: { code: string }) => error.code);
        const alert = 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE';
        const expected = own[kind]?.serial ?? [alert, alert.replace('SSLV3', 'SSL/TLS')];
        assert.ok([expected].flat().includes(serial), `${name} ${version} ${kind} only: ${serial}`);
      }
    }
  }
}

for (const kinds of KINDS) {
  test(`different kinds of key for different names, the default ${kinds.join(' and ')}`, async (t) => {
    const scene = await begin(t);
    const [first, ownOfFirst] = await ofKinds(scene, ['first.example'], kinds);
    const others: [name: string, issued: Issued[], own: OfKinds][] = [];
    for (const theirs of KINDS) {
      const name = `${theirs.join('-')}.example`;
      others.push([name, ...(await ofKinds(scene, [name], theirs))]);
    }
    const { options } = await volumes(scene, [...first, ...others.flatMap(([, issued]) => issued)]);
    const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options });
    const named = others.map(([name, , own]): [string, OfKinds] => [name, own]);
    await eachItsOwn(sidecar, [['first.example', ownOfFirst], ['', ownOfFirst], ...named]);
    await endsWell(sidecar);
  });
}

test('different kinds of key for different names, where clients must have a certificate, and resumed', async (t) => {
  const scene = await begin(t);
  const { stage } = scene;
  const pairs = [await scene.issue(['first.example'], 'rsa'), await scene.issue(['second.example'])];
  const ca = join(stage.dir, 'ca.pem');
  await writeFile(ca, stage.authority.rootPem);
  const { options } = await volumes(scene, pairs);
  const args = [...options.args, '--client-ca', ca];
  const sidecar = await stage.start({ upstream: scene.upstream, ...options, args });
  const { chain: cert, key } = await stage.authority.issue({ usage: 'client', commonName: 'a client' });
  for (const [at, servername] of ['first.example', 'second.example'].entries()) {
    assert.equal(await shown(sidecar, servername, { cert, key }), pairs[at]?.serial);
    const refused = (await shown(sidecar, servername).catch((error: Error) => error)) as Error;
    assert.match(refused.message, /alert certificate required/);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const offering = { port: sidecar.port, servername, cert, key, minVersion: version, maxVersion: version };
      const client = await connect(offering);
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      assert.equal((await client.readResponse()).status, 200);
      const session = await eventually(() => client.session, { what: 'a ticket' });
      client.destroy();
      const again = await connect({ ...offering, session });
      assert.equal(again.socket.isSessionReused(), true, `${servername} ${version}`);
      again.destroy();
    }
  }
  await endsWell(sidecar);
});

test('a pair that changes its kind of key is shown to its own names only', async (t) => {
  const scene = await begin(t);
  const { stage } = scene;
  const [first, ownOfFirst] = await ofKinds(scene, ['first.example'], ['ec']);
  const [second] = await ofKinds(scene, ['second.example'], ['ec']);
  const { made, options } = await volumes(scene, [...first, ...second]);
  const sidecar = await stage.start({ upstream: scene.upstream, ...options });
  for (const kind of ['rsa', 'ec', 'rsa'] as const) {
    const [[next], own] = await ofKinds(scene, ['second.example'], [kind]);
    assert.ok(next);
    await made[1]?.write(stage.files(next));
    await sidecar.waitForLog(({ serial }) => serial === next.serial.toLowerCase());
    await eachItsOwn(sidecar, [
      ['first.example', ownOfFirst],
      ['second.example', own],
    ]);
  }
  await endsWell(sidecar);
});

test('a session of one name is not resumed at another, and is at its own after a rotation', async (t) => {
  const scene = await begin(t);
  const pairs = [await scene.issue(['first.example']), await scene.issue(['second.example'])];
  const { made, options } = await volumes(scene, pairs);
  const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options });
  const next = await scene.issue(['second.example']);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const offering = { port: sidecar.port, minVersion: version, maxVersion: version };
    const sessions: Record<string, Buffer> = {};
    for (const servername of ['first.example', 'second.example']) {
      const client = await connect({ ...offering, servername });
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await client.readResponse();
      sessions[servername] = await eventually(() => client.session, { what: 'a ticket' });
      client.destroy();
    }
    if (version === 'TLSv1.3') {
      await made[1]?.write(scene.stage.files(next));
      await sidecar.waitForLog('certificate reloaded');
    }
    for (const [of, session] of Object.entries(sessions)) {
      for (const at of Object.keys(sessions)) {
        const client = await connect({ ...offering, servername: at, session });
        assert.equal(client.socket.isSessionReused(), of === at, `${version}: of ${of} at ${at}`);
        client.destroy();
      }
    }
  }
  await endsWell(sidecar);
});

test('a certificate that ends while it is served is told of, and another one for its name takes over', async (t) => {
  const scene = await begin(t);
  const { stage } = scene;
  const rsa = await scene.issue(['both.example'], 'rsa');
  const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 10_000);
  const ecdsa = await stage.authority.issue({ dns: ['both.example'], notAfter });
  const alone = await stage.authority.issue({ dns: ['alone.example'], notAfter });
  const { made, options } = await volumes(scene, [ecdsa, rsa, alone]);
  const sidecar = await stage.start({ upstream: scene.upstream, ...options });
  assert.equal(await shown(sidecar, 'both.example'), ecdsa.serial);
  const ended = ({ msg }: LogLine): boolean => msg === 'the certificate that is served is outside its dates';
  await eventually(() => sidecar.logs.filter(ended).length === 2, { what: 'two lines' });
  const names = [made[0]?.path('tls.crt'), made[2]?.path('tls.crt')];
  assert.deepEqual(new Set(sidecar.logs.filter(ended).map(({ name }) => name)), new Set(names));
  for (const name of ['both.example', 'unknown.example', ''])
    assert.equal(await shown(sidecar, name), rsa.serial, name);
  assert.equal(await shown(sidecar, 'alone.example'), alone.serial, 'it is all there is');
  assert.equal((await askAdmin(sidecar, '/readyz')).status, 200);
  await endsWell(sidecar);
});

test('a ClientHello that comes byte by byte is read, a cut one is counted, and none holds a place for ever', async (t) => {
  const scene = await begin(t);
  const pairs = [await scene.issue(['first.example']), await scene.issue(['second.example'], 'rsa')];
  const { options } = await volumes(scene, pairs);
  const args = [...options.args, '--handshake-timeout', '8s'];
  const sidecar = await scene.stage.start({ upstream: scene.upstream, ...options, args });
  const slow = createServer((client) => {
    const server = connectTcp({ port: sidecar.port, host: '127.0.0.1', noDelay: true });
    server.pipe(client);
    let sending = Promise.resolve();
    client.on('data', (bytes) => {
      sending = sending.then(async () => {
        for (const byte of bytes) await new Promise((done) => server.write(Buffer.from([byte]), done));
      });
    });
    for (const end of [client, server])
      end.on('error', () => {}).on('close', () => [client, server].map((s) => s.destroy()));
  });
  t.after(() => slow.close());
  slow.listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const through = { port: (slow.address() as AddressInfo).port } as Sidecar;
  assert.equal(await shown(through, 'second.example'), pairs[1]?.serial);
  assert.equal(await shown(through, 'first.example'), pairs[0]?.serial);

  const begun = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
  const leaves = await connectPlain({ port: sidecar.port });
  leaves.send(begun);
  leaves.end();
  const stays = await connectPlain({ port: sidecar.port });
  stays.send(begun);
  await stays.closed;
  const counted = async (reason: string): Promise<boolean> =>
    (await readMetrics(sidecar)).sum('handshake_failures_total', { reason }) === 1;
  await eventually(() => counted('client_left'), { what: 'the one that left' });
  await eventually(() => counted('timeout'), { what: 'the one that was late' });
  await endsWell(sidecar);
});
