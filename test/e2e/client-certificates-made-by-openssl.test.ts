// The matrix of client certificates: authorities and certificates made by OpenSSL, OpenSSL's client and curl before the
// real program. Every row holds for the default pair and one of SNI, TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, both modes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import {
  type Asked,
  askWithCurl,
  askWithOpenssl,
  type Made,
  makeAuthority,
  type OpensslAuthority,
} from '../support/openssl.ts';
import { eventually } from '../support/poll.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const dir = mkdtempSync(join(tmpdir(), 'client-certificates-'));
after(() => rmSync(dir, { recursive: true }));

type Cast = { ca: OpensslAuthority; below: OpensslAuthority; other: OpensslAuthority; leaves: Record<string, Made> };
let made: Promise<Cast> | undefined;

async function make(): Promise<Cast> {
  const ca = await makeAuthority(dir, 'clients');
  const below = await ca.intermediate('below');
  const other = await makeAuthority(join(dir, 'other'), 'clients');
  const leaves: Record<string, Made> = {
    right: await ca.issue('right', {
      subject: '/O=Shop/OU=web/OU=front/CN=right',
      san: 'URI:spiffe://cluster.local/ns/a/sa/web,URI:spiffe://cluster.local/second,DNS:web.clients.example',
    }),
    'through an intermediate': await below.issue('through'),
    'of a wrong CA of the same name': await other.issue('wrong'),
    'signed by itself': { ...other, above: '', chain: other.cert },
    expired: await ca.issue('expired', { from: -3, to: -1 }),
    'not valid yet': await ca.issue('early', { from: 1, to: 3 }),
    'for servers only': await ca.issue('server', { usage: 'serverAuth' }),
    'without any usage': await ca.issue('usageless', { usage: '' }),
  };
  const through = leaves['through an intermediate'] as Made;
  leaves['without its intermediate'] = { ...through, above: '', chain: through.cert };
  return { ca, below, other, leaves };
}

type Row = readonly [who: string, reason: string | undefined];
const rows: readonly Row[] = [
  ['right', undefined],
  ['through an intermediate', undefined],
  ['without any usage', undefined],
  ['nobody', 'client_certificate_missing'],
  ['of a wrong CA of the same name', 'client_certificate_untrusted'],
  ['signed by itself', 'client_certificate_untrusted'],
  ['without its intermediate', 'client_certificate_untrusted'],
  ['expired', 'client_certificate_expired'],
  ['not valid yet', 'client_certificate_not_yet_valid'],
  ['for servers only', 'client_certificate_purpose'],
];

type Way = readonly [way: string, ask: (port: number, client?: Made) => Promise<Asked>];

/** The default pair, and one that is chosen by SNI: each has a context of its own. */
const SECOND = 'second.example';
const ways: readonly Way[] = ['localhost', SECOND].flatMap((servername) =>
  (['1.2', '1.3'] as const).flatMap((version): Way[] => [
    [`TLS ${version} to ${servername}`, (port, client) => askWithOpenssl({ port, client, version, servername })],
    [
      `HTTP/2 over TLS ${version} to ${servername}`,
      (port, client) => askWithCurl({ port, client, version, servername, http2: true }),
    ],
  ]),
);

type Auth = 'require' | 'request';

function isAdmitted([who, reason]: Row, auth: Auth): boolean {
  return reason === undefined || (auth === 'request' && who === 'nobody');
}

function admitted(answer: Asked, leaf: Made | undefined, what: string): void {
  assert.equal(answer.status, 200, what);
  assert.match(answer.body, leaf === undefined ? /^cert none$/ : /^cert Hash=[0-9a-f]{64};Subject="/, what);
}

function refused(answer: Asked, auth: Auth, reason: string | undefined, what: string): void {
  assert.equal(answer.status, auth === 'request' ? 403 : 0, what);
  if (auth === 'request') assert.match(answer.body, new RegExp(`^403 ${reason}\n`), what);
}

for (const auth of ['require', 'request'] as const) {
  test(`a certificate is judged the same in every way (${auth})`, async (t) => {
    if (!needs(t, 'openssl', 'curl')) return;
    made ??= make();
    const { ca, leaves } = await made;
    const stage = await setStage(t);
    let reached = 0;
    const app = await startApp(t, (request, response) => {
      reached += 1;
      response.end(`cert ${request.headers['x-forwarded-client-cert'] ?? 'none'}`);
    });
    const args = [...(await stage.beside(SECOND)), '--client-ca', ca.cert, '--client-auth', auth];
    const sidecar = await stage.start({ upstream: app.port, args });
    const shown = await askWithOpenssl({ port: sidecar.port, client: leaves.right, servername: SECOND });
    assert.match(shown.stdout, /subject=.*second\.example|DNS:second\.example/);
    assert.ok(sidecar.logs.some(({ msg }) => msg === 'no allow rule: every certificate of the client CA is admitted'));
    let refusals = 0;
    for (const row of rows) {
      const [who, reason] = row;
      const leaf = leaves[who];
      for (const [way, ask] of ways) {
        reached = 0;
        const answer = await ask(sidecar.port, leaf);
        const what = `${who}, ${way}: ${answer.stdout}\n${answer.stderr}`;
        assert.equal(reached, isAdmitted(row, auth) ? 1 : 0, what);
        if (isAdmitted(row, auth)) admitted(answer, leaf, what);
        else {
          refused(answer, auth, reason, what);
          await told(sidecar, reason as string, ++refusals);
        }
      }
    }
    await counted(sidecar, auth);
    await endsWell(sidecar);
  });
}

async function counted(sidecar: Sidecar, auth: Auth): Promise<void> {
  const metrics = await readMetrics(sidecar);
  for (const row of rows.filter((each) => !isAdmitted(each, auth))) {
    const reason = row[1] as string;
    const count = rows.filter(([, other]) => other === reason).length * ways.length;
    assert.equal(metrics.sum('client_certificates_rejected_total', { reason }), count, reason);
    assert.equal(metrics.sum('failures_total', { reason }), auth === 'request' ? count : 0, reason);
    assert.equal(metrics.sum('handshake_failures_total', { reason }), auth === 'request' ? 0 : count, reason);
  }
}

/** The newest refusal in the log: with the reason, and the subject of whom it has seen. */
async function told(sidecar: Sidecar, reason: string, count: number): Promise<void> {
  const lines = await eventually(
    () => {
      const found = sidecar.logs.filter(({ msg }) => msg === 'client certificate refused');
      return found.length >= count && found;
    },
    { what: `${count} refusals in the log` },
  );
  assert.equal(lines.length, count);
  const line = lines.at(-1);
  assert.equal(line?.reason, reason);
  assert.equal(line?.client, '127.0.0.1');
  assert.match(String(line?.subject), reason === 'client_certificate_missing' ? /^$/ : /^CN=/);
}

test('without a certificate, OpenSSL and curl are told so where one is required', async (t) => {
  if (!needs(t, 'openssl', 'curl')) return;
  made ??= make();
  const { ca } = await made;
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end());
  const sidecar = await stage.start({ upstream: app.port, args: ['--client-ca', ca.cert] });
  assert.match((await askWithOpenssl({ port: sidecar.port })).stderr, /alert certificate required/);
  assert.match((await askWithCurl({ port: sidecar.port, http2: false })).stderr, /alert certificate required/);
  await endsWell(sidecar);
});

describe('the file of --client-ca may hold', () => {
  type Case = readonly [what: string, pick: (cast: Cast) => readonly string[], right: boolean, through: boolean];
  const cases: readonly Case[] = [
    ['the root', ({ ca }) => [ca.cert], true, true],
    ['only the intermediate', ({ below }) => [below.cert], false, true],
    ['both', ({ ca, below }) => [ca.cert, below.cert], true, true],
    ['another CA before them', ({ ca, other }) => [other.cert, ca.cert], true, true],
  ];
  for (const [what, pick, right, through] of cases) {
    test(what, async (t) => {
      if (!needs(t, 'openssl')) return;
      made ??= make();
      const cast = await made;
      const stage = await setStage(t);
      const app = await startApp(t, (_, response) => response.end());
      const file = join(stage.dir, 'ca.pem');
      await writeFile(file, (await Promise.all(pick(cast).map((path) => readFile(path, 'utf8')))).join('# and\n'));
      const sidecar = await stage.start({ upstream: app.port, args: ['--client-ca', file] });
      const status = async (who: string): Promise<number> =>
        (await askWithOpenssl({ port: sidecar.port, client: cast.leaves[who] })).status;
      assert.equal(await status('right'), right ? 200 : 0);
      assert.equal(await status('through an intermediate'), through ? 200 : 0);
      await endsWell(sidecar);
    });
  }
});

test('the app and the log are told who it is', async (t) => {
  if (!needs(t, 'openssl', 'curl')) return;
  made ??= make();
  const { ca, leaves } = await made;
  const stage = await setStage(t);
  const app = await startApp(t, (request, response) =>
    response.end(String(request.headers['x-forwarded-client-cert'])),
  );
  const args = [...(await stage.beside(SECOND)), '--client-ca', ca.cert];
  const sidecar = await stage.start({ upstream: app.port, args });
  const answers: Asked[] = [];
  for (const [, ask] of ways) answers.push(await ask(sidecar.port, leaves.right));
  const names = 'URI=spiffe://cluster.local/ns/a/sa/web;URI=spiffe://cluster.local/second;DNS=web.clients.example';
  for (const { body } of answers)
    assert.match(body, new RegExp(`^Hash=[0-9a-f]{64};Subject="CN=right,OU=front,OU=web,O=Shop";${names}$`));
  const through = await askWithOpenssl({ port: sidecar.port, client: leaves['through an intermediate'] });
  assert.match(through.body, /^Hash=[0-9a-f]{64};Subject="CN=through"$/);
  await endsWell(sidecar);
  const seen = sidecar.logs.filter(({ msg }) => msg === 'request').map(({ tls }) => (tls as { client: string }).client);
  assert.deepEqual(seen, [...ways.map(() => 'spiffe://cluster.local/ns/a/sa/web'), 'CN=through']);
});
