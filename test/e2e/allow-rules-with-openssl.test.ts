// Each allow rule, and what a star stands for, before certificates that OpenSSL made: several values in one name, names
// that would be read as two, the right value in the wrong field. TLS 1.2 and 1.3, `require` and `request`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { askWithOpenssl, type Made, makeAuthority, type OpensslAuthority } from '../support/openssl.ts';
import { eventually } from '../support/poll.ts';
import { setStage } from '../support/stage.ts';

const dir = mkdtempSync(join(tmpdir(), 'allow-'));
after(() => rmSync(dir, { recursive: true }));

async function make(ca: OpensslAuthority): Promise<Record<string, Made>> {
  return {
    web: await ca.issue('web', {
      subject: '/O=Shop/OU=front/OU=back/CN=web-1',
      san: 'DNS:web.clients.example,DNS:second.example,URI:spiffe://td/ns/a/sa/web',
    }),
    // Two parts in one: `CN=web-1` is no line of its own here.
    joined: await ca.issue('joined', { subject: '/O=Shop/CN=joined+OU=front' }),
    // One name, which a careless reader takes for two.
    sly: await ca.issue('sly', {
      subject: '/CN=sly',
      san: '@names\n[names]\nDNS.1=x.example, DNS:web.clients.example\n',
    }),
    // The right words in the wrong places.
    crossed: await ca.issue('crossed', { subject: '/OU=web-1/CN=front', san: 'URI:web.clients.example' }),
    plain: await ca.issue('plain', { subject: '/CN=web-1, OU=front' }),
  };
}

type Row = readonly [rules: Record<string, string[]>, admitted: readonly string[]];
const rows: readonly Row[] = [
  [{ 'allow-cn': ['web-1'] }, ['web']],
  [{ 'allow-cn': ['web-*'] }, ['web']],
  [{ 'allow-cn': ['*'] }, ['web', 'joined', 'sly', 'crossed']],
  [{ 'allow-cn': ['joined'] }, ['joined']],
  [{ 'allow-ou': ['front'] }, ['web', 'joined']],
  [{ 'allow-ou': ['back'] }, ['web']],
  [{ 'allow-dns': ['web.clients.example'] }, ['web']],
  [{ 'allow-dns': ['WEB.*.example'] }, ['web']],
  [{ 'allow-dns': ['second.example'] }, ['web']],
  [{ 'allow-dns': ['*.example'] }, ['web']],
  [{ 'allow-dns': ['*.clients'] }, []],
  [{ 'allow-dns': ['*'] }, []],
  [{ 'allow-uri': ['spiffe://td/ns/*/sa/web'] }, ['web']],
  [{ 'allow-uri': ['spiffe://td/*/sa/web'] }, []],
  [{ 'allow-uri': ['spiffe://td/ns/*'] }, []],
  [{ 'allow-uri': ['spiffe://td/ns/a/sa/*'] }, ['web']],
  [{ 'allow-cn': ['nobody'], 'allow-dns': ['nobody'], 'allow-uri': ['web.clients.example'] }, ['crossed']],
];

for (const [auth, version] of [
  ['require', '1.3'],
  ['request', '1.2'],
] as const) {
  test(`allow rules admit whom they name (${auth}, TLS ${version})`, async (t) => {
    if (!needs(t, 'openssl')) return;
    const ca = await makeAuthority(join(dir, auth), 'clients');
    const clients = await make(ca);
    const stage = await setStage(t);
    let reached = 0;
    const app = await startApp(t, (_, response) => response.end(String(++reached)));
    const configFile = join(stage.dir, 'options.yaml');
    await writeFile(configFile, JSON.stringify({ 'allow-cn': ['first'] }));
    const args = ['--client-ca', ca.cert, '--client-auth', auth, '--config', configFile];
    const sidecar = await stage.start({ upstream: app.port, args });
    assert.ok(!sidecar.logs.some(({ msg }) => String(msg).startsWith('no allow rule')));
    for (const [count, [rules, admitted]] of rows.entries()) {
      await writeFile(configFile, JSON.stringify(rules));
      sidecar.kill('SIGHUP');
      const reloads = () => sidecar.logs.filter(({ msg }) => msg === 'configuration reloaded').length;
      await eventually(() => reloads() === count + 1, { what: `rules ${count + 1}` });
      for (const [who, client] of Object.entries(clients)) {
        reached = 0;
        const { status } = await askWithOpenssl({ port: sidecar.port, version, client });
        const expected = admitted.includes(who) ? [200, 1] : [403, 0];
        assert.deepEqual([status, reached], expected, `${who} with ${JSON.stringify(rules)}`);
      }
    }
    await endsWell(sidecar);
  });
}
