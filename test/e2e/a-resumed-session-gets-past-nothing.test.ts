// Session tickets, with OpenSSL's client: they outlive a rotation of the certificate, and they get past no change of the
// client CA or of the allow rules, and past no verification of a certificate (CVE-2025-23419, CVE-2025-68121 are such faults).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { type Asked, askWithOpenssl, type Made, makeAuthority, type OpensslAuthority } from '../support/openssl.ts';
import { eventually } from '../support/poll.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Stage, setStage } from '../support/stage.ts';

const dir = mkdtempSync(join(tmpdir(), 'resumed-'));
after(() => rmSync(dir, { recursive: true }));

type Cast = { ca: OpensslAuthority; other: OpensslAuthority; web: Made; stranger: Made };
let made: Promise<Cast> | undefined;

async function make(): Promise<Cast> {
  const ca = await makeAuthority(join(dir, 'one'), 'one');
  const other = await makeAuthority(join(dir, 'two'), 'two');
  const [web, stranger] = [await ca.issue('web', { san: 'DNS:web.example' }), await other.issue('stranger')];
  return { ca, other, web, stranger };
}

/** The default pair, and one that is chosen by SNI: each has a context of its own. */
const SECOND = 'second.example';
type Way = readonly [version: '1.2' | '1.3', servername: string];
const ways: readonly Way[] = [
  ['1.2', 'localhost'],
  ['1.3', 'localhost'],
  ['1.2', SECOND],
  ['1.3', SECOND],
];

type Scene = Cast & {
  stage: Stage;
  sidecar: Sidecar;
  /** Of the sidecar: what --client-ca and --config name. */
  caFile: string;
  configFile: string;
  /** A full handshake, whose ticket is kept; asserts that it was one. */
  first(client?: Made): Promise<Asked>;
  /** Comes back with the ticket. */
  again(client?: Made): Promise<Asked>;
  reached(): number;
};

async function begin(t: TestContext, [version, servername]: Way, args: string[] = [], config = ''): Promise<Scene> {
  made ??= make();
  const cast = await made;
  const stage = await setStage(t);
  let reached = 0;
  const app = await startApp(t, (request, response) => {
    reached += 1;
    response.end(String(request.headers['x-forwarded-client-cert']));
  });
  const [caFile, configFile] = [join(stage.dir, 'ca.pem'), join(stage.dir, 'options.yaml')];
  await copyFile(cast.ca.cert, caFile);
  await writeFile(configFile, config);
  const all = [...(await stage.beside(SECOND)), '--client-ca', caFile, '--config', configFile, ...args];
  const sidecar = await stage.start({ upstream: app.port, args: all });
  const session = join(stage.dir, 'session');
  const { port } = sidecar;
  return {
    ...{ ...cast, stage, sidecar, caFile, configFile, reached: () => reached },
    async first(client) {
      const answer = await askWithOpenssl({ port, version, servername, client, sessionOut: session });
      assert.equal(answer.resumed, false);
      return answer;
    },
    again: (client) => askWithOpenssl({ port, version, servername, client, sessionIn: session }),
  };
}

/** The access log says of the newest request whether its session was resumed, and who it was. */
async function lastRequest(sidecar: Sidecar, count: number): Promise<{ resumed: boolean; client?: string }> {
  const lines = await eventually(
    () => {
      const found = sidecar.logs.filter(({ msg }) => msg === 'request');
      return found.length >= count && found;
    },
    { what: `${count} requests in the log` },
  );
  return lines.at(-1)?.tls as { resumed: boolean; client?: string };
}

for (const way of ways) {
  const [version, servername] = way;
  describe(`a ticket of TLS ${version} for ${servername}`, () => {
    test('from before a rotation of the certificate resumes, and the app is told the same of the client', async (t) => {
      if (!needs(t, 'openssl')) return;
      const { stage, sidecar, web, first, again } = await begin(t, way);
      const { status, body } = await first(web);
      assert.deepEqual([status, body.slice(0, 5)], [200, 'Hash=']);
      for (let round = 0; round < 3; round += 1) {
        const next = await stage.issue();
        await stage.volume.write(stage.files(next));
        await sidecar.waitForLog(({ serial }) => serial === next.serial.toLowerCase());
        const resumed = await again(web);
        assert.deepEqual([resumed.status, resumed.resumed, resumed.body], [200, true, body]);
      }
      assert.deepEqual(await lastRequest(sidecar, 4).then(({ resumed, client }) => [resumed, client]), [
        true,
        'CN=web',
      ]);
      await endsWell(sidecar);
    });

    test('from before a change of --client-ca is worth nothing: the client is refused', async (t) => {
      if (!needs(t, 'openssl')) return;
      const { sidecar, web, stranger, other, caFile, first, again, reached } = await begin(t, way);
      assert.equal((await first(web)).status, 200);
      assert.equal((await again(web)).resumed, true);
      await copyFile(other.cert, caFile);
      await sidecar.waitForLog('client CA reloaded');
      const refused = await again(web);
      assert.deepEqual([refused.status, refused.resumed, reached()], [0, false, 2]);
      await sidecar.waitForLog(({ reason }) => reason === 'client_certificate_untrusted');
      assert.deepEqual([(await first(stranger)).status, reached()], [200, 3]);
      await endsWell(sidecar);
    });

    test('from before a change of the allow rules is worth nothing: a full handshake, and a 403', async (t) => {
      if (!needs(t, 'openssl')) return;
      const scene = await begin(t, way, [], 'allow-dns: [web.example]\n');
      const { sidecar, web, configFile, first, again, reached } = scene;
      assert.equal((await first(web)).status, 200);
      assert.equal((await again(web)).resumed, true);
      await writeFile(configFile, 'allow-dns: [other.example]\n');
      sidecar.kill('SIGHUP');
      await sidecar.waitForLog('configuration reloaded');
      const refused = await again(web);
      assert.deepEqual([refused.status, refused.resumed, reached()], [403, false, 2]);
      assert.match(refused.body, /^403 client_not_allowed\n/);
      // And once more with a ticket of after the change, which resumes.
      assert.equal((await first(web)).status, 403);
      const resumed = await again(web);
      assert.deepEqual([resumed.status, resumed.resumed, reached()], [403, true, 2]);
      await endsWell(sidecar);
    });

    test('of a refused certificate brings the refusal along', async (t) => {
      if (!needs(t, 'openssl')) return;
      const { sidecar, stranger, first, again, reached } = await begin(t, way, ['--client-auth', 'request']);
      assert.equal((await first(stranger)).status, 403);
      const resumed = await again(stranger);
      assert.deepEqual([resumed.status, resumed.resumed, reached()], [403, true, 0]);
      assert.match(resumed.body, /^403 client_certificate_untrusted\n/);
      await endsWell(sidecar);
    });

    test('of a client without a certificate makes nobody of it', async (t) => {
      if (!needs(t, 'openssl')) return;
      const args = ['--client-auth', 'request', '--allow-cn', 'web'];
      const { sidecar, web, first, again, reached } = await begin(t, way, args);
      assert.equal((await first()).status, 403);
      const resumed = await again();
      assert.deepEqual([resumed.status, resumed.resumed, reached()], [403, true, 0]);
      assert.match(resumed.body, /^403 client_certificate_missing\n/);
      assert.equal((await first(web)).status, 200);
      await endsWell(sidecar);
    });

    for (const auth of ['require', 'request'] as const) {
      test(`of a certificate that has expired since is worth nothing (${auth})`, async (t) => {
        if (!needs(t, 'openssl')) return;
        const { sidecar, ca, first, again, reached } = await begin(t, way, ['--client-auth', auth]);
        const name = `brief-${servername}-${version}-${auth}`;
        const use = async (seconds: number) => {
          const brief = await ca.issue(name, { to: seconds / 86_400 });
          const expires = Date.now() + seconds * 1000;
          return { expires, brief, status: (await first(brief)).status };
        };
        let used = await use(6);
        // A machine that was too slow to show it in time.
        if (used.status !== 200) used = await use(40);
        const { expires, brief, status } = used;
        assert.equal(status, 200);
        await eventually(() => Date.now() > expires, { what: 'the end of the certificate' });
        const late = await again(brief);
        assert.deepEqual([late.status, reached()], [auth === 'request' ? 403 : 0, 1]);
        assert.equal(late.resumed, true);
        const line = await sidecar.waitForLog('client certificate refused');
        assert.deepEqual([line.reason, line.subject], ['client_certificate_expired', `CN=${name}`]);
        await endsWell(sidecar);
      });
    }
  });
}
