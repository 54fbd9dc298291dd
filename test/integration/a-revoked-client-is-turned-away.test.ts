// Revocation lists made by OpenSSL: a client that they name gets past no handshake and no resumed session, in TLS 1.2 and 1.3;
// when it is added while connected its connections end after what is in flight, over HTTP/1.1 and HTTP/2. A renewed list
// without new names disturbs nobody. An expired one turns away whom it cannot judge only where a certificate is required.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import type { SecureVersion } from 'node:tls';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { Type } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { needs } from '../support/needs.ts';
import { type Made, makeAuthority, type OpensslAuthority } from '../support/openssl.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
type Pair = { cert: string; key: string };

describe('a revoked client', () => {
  let dir = '';
  let ca: OpensslAuthority;
  let good: Made;
  let bad: Made;
  let lists: Record<'none' | 'one' | 'renewed' | 'expired', string>;
  async function make(): Promise<void> {
    dir = await mkdtemp(join(tmpdir(), 'revoked-'));
    ca = await makeAuthority(dir, 'clients');
    [good, bad] = [await ca.issue('good'), await ca.issue('bad')];
    lists = {
      none: await ca.revocationList([]),
      one: await ca.revocationList([bad]),
      renewed: await ca.revocationList([bad], 60),
      expired: await ca.revocationList([bad], -1),
    };
  }
  let made: Promise<void> | undefined;

  after(() => rm(dir, { recursive: true, force: true }));

  const pairOf = async ({ cert, key }: Made): Promise<Pair> => ({
    cert: await readFile(cert, 'utf8'),
    key: await readFile(key, 'utf8'),
  });

  async function begin(t: TestContext, list: keyof typeof lists, args: string[] = []) {
    made ??= make();
    await made;
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const crl = join(stage.dir, 'clients.crl');
    await writeFile(crl, lists[list]);
    const given = ['--client-ca', ca.cert, '--client-crl', crl];
    const sidecar = await stage.start({ upstream: app.port, args: [...given, ...args] });
    const change = async (to: keyof typeof lists): Promise<void> => {
      const taken = sidecar.logs.filter(({ msg }) => msg === 'client CA reloaded').length;
      await writeFile(crl, lists[to]);
      const more = () => sidecar.logs.filter(({ msg }) => msg === 'client CA reloaded').length > taken;
      await eventually(more, { what: 'the new list to be taken' });
    };
    /** 200, a rejection, or undefined where the handshake was refused. */
    const ask = async (who: Made | undefined, tls: { maxVersion?: SecureVersion; session?: Buffer } = {}) => {
      const pair = who === undefined ? {} : await pairOf(who);
      try {
        const client = await connect({ port: sidecar.port, ...pair, ...tls });
        let session: Buffer | undefined;
        client.socket.on('session', (ticket) => {
          session = ticket;
        });
        client.send(get('/now'));
        const { status } = await client.readResponse();
        const resumed = client.socket.isSessionReused();
        session ??= client.socket.getSession();
        client.destroy();
        return { status, resumed, session };
      } catch {
        return undefined;
      }
    };
    return { app, sidecar, crl, given, change, ask };
  }

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`is refused in the handshake, and others are served (${maxVersion})`, async (t) => {
      if (!needs(t, 'openssl')) return;
      const { sidecar, ask } = await begin(t, 'one');
      assert.equal((await ask(good, { maxVersion }))?.status, 200);
      assert.equal(await ask(bad, { maxVersion }), undefined);
      const reason = 'client_certificate_revoked';
      const counted = async () =>
        (await readMetrics(sidecar)).sum('client_certificates_rejected_total', { reason }) === 1;
      await eventually(counted, { what: 'the refusal to be counted' });
    });

    test(`resumes no session of before (${maxVersion})`, async (t) => {
      if (!needs(t, 'openssl')) return;
      const { change, ask } = await begin(t, 'none');
      const first = await ask(bad, { maxVersion });
      assert.equal(first?.status, 200);
      const again = await ask(bad, { maxVersion, session: first?.session as Buffer });
      assert.deepEqual([again?.status, again?.resumed], [200, true]);
      await change('one');
      assert.equal(await ask(bad, { maxVersion, session: again?.session as Buffer }), undefined);
      assert.equal((await ask(good, { maxVersion }))?.status, 200);
    });
  }

  test('is answered with the reason where a certificate is only asked for', async (t) => {
    if (!needs(t, 'openssl')) return;
    const { ask } = await begin(t, 'one', ['--client-auth', 'request']);
    assert.equal((await ask(bad))?.status, 403);
    assert.equal((await ask(good))?.status, 200);
    assert.equal((await ask(undefined))?.status, 200);
  });

  test('loses its connections when it is added, after what is in flight; a renewed list disturbs nobody', async (t) => {
    if (!needs(t, 'openssl')) return;
    const { app, sidecar, change, ask } = await begin(t, 'none');
    const pair = await pairOf(bad);
    const [idle, busy] = [
      await connect({ port: sidecar.port, ...pair }),
      await connect({ port: sidecar.port, ...pair }),
    ];
    const h2 = await connectH2({ port: sidecar.port, ...pair });
    busy.send(get('/'));
    const one = await app.waitFor(1);
    const id = h2.request(fieldsOf());
    const two = await app.waitFor(2);
    await change('one');
    await idle.closed;
    await h2.until(() => h2.goaway !== undefined, 'a GOAWAY');
    assert.equal(h2.frames.find(({ type }) => type === Type.goaway)?.payload.readUInt32BE(4), 0);
    for (const { response } of [one, two]) response.end('whole');
    const answer = await busy.readResponse();
    assert.equal(answer.body.toString(), 'whole');
    assert.match(answer.headText, /^connection: close\r?$/im);
    await h2.over(id);
    assert.equal(h2.body(id).toString(), 'whole');
    await busy.closed;
    h2.destroy();

    const stays = await connect({ port: sidecar.port, ...(await pairOf(good)) });
    await change('renewed');
    stays.send(get('/now'));
    assert.equal((await stays.readResponse()).status, 200);
    assert.equal(stays.ended, false);
    assert.equal(await ask(bad), undefined);
    stays.destroy();
  });

  test('an expired list is told, and lets nobody in where a certificate is required', async (t) => {
    if (!needs(t, 'openssl')) return;
    const { sidecar, change, ask, given } = await begin(t, 'one');
    assert.equal((await ask(good))?.status, 200);
    await change('expired');
    assert.equal(await ask(good), undefined);
    const line = await sidecar.waitForLog('a list of --client-crl has expired');
    assert.deepEqual([line.level, line.issuer], ['warn', 'CN=clients']);
    const { clientCa } = JSON.parse((await askAdmin(sidecar, '/status')).body);
    assert.deepEqual([clientCa.crl.lists[0].expired, clientCa.crl.lists[0].revoked], [true, 1]);
    const { stdout } = await runToExit(['check', ...given, '--listen', '127.0.0.1:0', '--admin', 'off']);
    assert.match(stdout, /^warning +--client-crl: the list of CN=clients has expired .*; its clients are refused$/m);
    const reason = 'client_certificate_unchecked';
    const counted = async () => (await readMetrics(sidecar)).sum('client_certificates_rejected_total', { reason }) > 0;
    await eventually(counted, { what: 'the refusal to be counted' });
  });

  test('an expired list turns away only whom it names where a certificate is only asked for', async (t) => {
    if (!needs(t, 'openssl')) return;
    const { ask } = await begin(t, 'expired', ['--client-auth', 'request']);
    assert.equal((await ask(good))?.status, 200);
    assert.equal((await ask(bad))?.status, 403);
  });

  test('a file that is no list changes nothing, and stops a start', async (t) => {
    if (!needs(t, 'openssl')) return;
    const { sidecar, crl, ask } = await begin(t, 'one');
    await writeFile(crl, lists.none.slice(0, 100));
    const line = await sidecar.waitForLog('client CA not reloaded; the old one stays');
    assert.equal(line.reason, 'malformed_crl');
    assert.equal(await ask(bad), undefined);
    assert.equal((await ask(good))?.status, 200);
    const options = ['--client-ca', ca.cert, '--client-crl', crl, '--listen', '127.0.0.1:0', '--admin', 'off'];
    const { code, stderr } = await runToExit(options);
    assert.equal(code, 2);
    assert.match(stderr, /^tls-sidecar: --client-crl: .* holds no whole PEM revocation list/m);
    assert.equal((await runToExit(['--client-crl', crl])).code, 2);
  });
});
