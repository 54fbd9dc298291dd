// Whatever is wrong with a new pair, the old one stays, one log line and two metrics say why, and the next good pair is
// taken without help.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { describe, type TestContext, test } from 'node:test';
import type { Issued } from '../../certs/authority.ts';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { createSecretVolume } from '../support/secret-volume.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Stage, serialServed, setStage } from '../support/stage.ts';

const dayMs = 86_400_000;
const notReloaded = /^certificate not reloaded/;

type Broken = {
  what: string;
  reason: string;
  /** What the log line's detail must say. */
  says: RegExp;
  files(stage: Stage, next: Issued): Record<string, string> | Promise<Record<string, string>>;
};

const brokenPairs: Broken[] = [
  {
    what: 'a truncated certificate',
    reason: 'malformed_certificate',
    says: /tls\.crt is cut off/,
    files: (_, next) => ({ 'tls.crt': next.chain.slice(0, 300), 'tls.key': next.key }),
  },
  {
    what: 'a truncated key',
    reason: 'malformed_key',
    says: /tls\.key is cut off/,
    files: (_, next) => ({ 'tls.crt': next.chain, 'tls.key': next.key.slice(0, 100) }),
  },
  {
    what: 'a key of another certificate',
    reason: 'key_mismatch',
    says: /tls\.key does not belong to the certificate in .*tls\.crt/,
    files: async (stage, next) => ({ 'tls.crt': next.chain, 'tls.key': (await stage.issue()).key }),
  },
  {
    what: 'an empty certificate',
    reason: 'empty',
    says: /tls\.crt is empty/,
    files: (_, next) => ({ 'tls.crt': '', 'tls.key': next.key }),
  },
  {
    what: 'an empty key',
    reason: 'empty',
    says: /tls\.key is empty/,
    files: (_, next) => ({ 'tls.crt': next.chain, 'tls.key': '' }),
  },
  {
    what: 'a missing key',
    reason: 'missing',
    says: /tls\.key does not exist/,
    files: (_, next) => ({ 'tls.crt': next.chain }),
  },
  {
    what: 'an empty Secret',
    reason: 'missing',
    says: /tls\.crt does not exist/,
    files: () => ({}),
  },
  {
    what: 'garbage',
    reason: 'no_certificate',
    says: /tls\.crt holds no PEM certificate/,
    files: () => ({ 'tls.crt': 'certificate', 'tls.key': 'key' }),
  },
  {
    what: 'PEM armour around garbage',
    reason: 'malformed_certificate',
    says: /certificate 1 in .*tls\.crt cannot be read/,
    files: (_, next) => ({
      'tls.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'tls.key': next.key,
    }),
  },
  {
    what: 'an expired certificate',
    reason: 'expired',
    says: /expired on 20\d\d-/,
    files: async (stage) =>
      stage.files(await stage.authority.issue({ dns: ['localhost'], notAfter: new Date(Date.now() - dayMs) })),
  },
  {
    what: 'a certificate of the future',
    reason: 'not_yet_valid',
    says: /is not valid before 20\d\d-/,
    files: async (stage) =>
      stage.files(await stage.authority.issue({ dns: ['localhost'], notBefore: new Date(Date.now() + dayMs) })),
  },
  {
    what: 'an encrypted key',
    reason: 'encrypted_key',
    says: /tls\.key is encrypted/,
    files: (_, next) => ({
      'tls.crt': next.chain,
      'tls.key': createPrivateKey(next.key)
        .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
        .toString(),
    }),
  },
];

async function assertRefused(sidecar: Sidecar, stage: Stage, broken: Pick<Broken, 'reason' | 'says'>): Promise<void> {
  const line = await sidecar.waitForLog(({ msg }) => notReloaded.test(String(msg)), 12_000);
  assert.equal(line.reason, broken.reason);
  assert.match(String(line.detail), broken.says);
  assert.equal(line.level, 'error');
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('certificate_disk_differs', { name: stage.volume.path('tls.crt') }), 1);
  assert.equal(metrics.sum('certificate_reloads_total', { result: 'failed', reason: broken.reason }), 1);
  assert.equal(metrics.sum('certificate_reloads_total'), 1);
  assert.equal(await serialServed(sidecar), stage.pair.serial);
}

/** `meanwhile`: a refusal that may have been told between what was wrong and the next good pair. */
async function assertTaken(sidecar: Sidecar, next: Issued, meanwhile?: string): Promise<void> {
  await eventually(async () => (await serialServed(sidecar)) === next.serial, {
    what: 'the next good pair',
  });
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('certificate_disk_differs'), 0);
  assert.equal(metrics.sum('certificate_reloads_total', { result: 'success' }), 1);
  const refusals = sidecar.logs.filter(({ msg, reason }) => notReloaded.test(String(msg)) && reason !== meanwhile);
  assert.equal(refusals.length, 1, JSON.stringify(refusals));
}

async function begin(t: TestContext): Promise<{ stage: Stage; port: number }> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  return { stage, port: app.port };
}

describe('the old pair stays, and the next good one is taken', { concurrency: 4 }, () => {
  for (const broken of brokenPairs) {
    test(broken.what, async (t) => {
      const { stage, port } = await begin(t);
      const sidecar = await stage.start({ upstream: port });
      const next = await stage.issue();
      await stage.volume.write(await broken.files(stage, next));
      await assertRefused(sidecar, stage, broken);
      await stage.volume.write(stage.files(next));
      await assertTaken(sidecar, next);
      await endsWell(sidecar);
    });
  }

  test('a directory that is gone, and comes back', async (t) => {
    const { stage, port } = await begin(t);
    const sidecar = await stage.start({ upstream: port });
    await rm(stage.volume.dir, { recursive: true });
    await assertRefused(sidecar, stage, { reason: 'missing', says: /tls\.crt does not exist/ });
    const next = await stage.issue();
    const volume = await createSecretVolume(stage.volume.dir);
    await volume.write(stage.files(next));
    await assertTaken(sidecar, next);

    // The directory is a new one: it has to be watched as the old one was.
    const third = await stage.issue();
    await volume.write(stage.files(third));
    await eventually(async () => (await serialServed(sidecar)) === third.serial, {
      what: 'a swap in the new directory',
    });
    await endsWell(sidecar);
  });

  test('a directory that is renamed away, and back with another pair', async (t) => {
    const { stage, port } = await begin(t);
    const sidecar = await stage.start({ upstream: port });
    const next = await stage.issue();
    await rename(stage.volume.dir, `${stage.volume.dir}.away`);
    await assertRefused(sidecar, stage, { reason: 'missing', says: /tls\.crt does not exist/ });
    const volume = await createSecretVolume(`${stage.volume.dir}.away`);
    await volume.write(stage.files(next));
    await rename(`${stage.volume.dir}.away`, stage.volume.dir);
    await assertTaken(sidecar, next);
    await endsWell(sidecar);
  });

  test('a key that may not be read', async (t) => {
    // Root reads everything, unless it is without these two powers (capabilities(7)).
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !needs(t, 'setpriv')) return;
    const node = process.env.TEST_NODE ?? process.execPath;
    const powerless = { node: 'setpriv', nodeArgs: ['--bounding-set=-dac_override,-dac_read_search', node] };
    const { stage, port } = await begin(t);
    const sidecar = await stage.start({ upstream: port, ...(isRoot && powerless) });
    const unreadable =
      /tls\.crt cannot be read \(EACCES\): it is of uid \d+, gid \d+, mode 0000, and this process is uid \d+, gid \d+; .*defaultMode to 0444.*fsGroup/;
    const next = await stage.issue();
    const strict = await createSecretVolume(stage.volume.dir, { mode: 0o000 });
    await strict.write(stage.files(next));
    await assertRefused(sidecar, stage, { reason: 'unreadable', says: unreadable });
    await rm(stage.volume.path('..data'));
    await stage.volume.write(stage.files(next));
    await assertTaken(sidecar, next, 'missing');
    await endsWell(sidecar);
  });
});

test('a pair that stays broken is told once, not at every look', async (t) => {
  const { stage, port } = await begin(t);
  const sidecar = await stage.start({ upstream: port });
  await stage.volume.write({ 'tls.crt': 'garbage', 'tls.key': stage.pair.key });
  await sidecar.waitForLog(({ msg }) => notReloaded.test(String(msg)));
  // Further hints, and a SIGHUP: the same failure again.
  for (const note of ['1', '2', '3'])
    await stage.volume.write({ 'tls.crt': 'garbage', 'tls.key': stage.pair.key, note });
  sidecar.kill('SIGHUP');
  await stage.volume.write({ 'tls.crt': '', 'tls.key': stage.pair.key });
  await sidecar.waitForLog(({ reason }) => reason === 'empty');
  const reasons = sidecar.logs.filter(({ msg }) => notReloaded.test(String(msg))).map(({ reason }) => reason);
  assert.deepEqual(reasons, ['no_certificate', 'empty']);
  await endsWell(sidecar);
});

test('the old pair coming back after a broken one is no reload, and nothing differs any more', async (t) => {
  const { stage, port } = await begin(t);
  const sidecar = await stage.start({ upstream: port });
  await stage.volume.write({ 'tls.crt': 'garbage', 'tls.key': stage.pair.key });
  await sidecar.waitForLog(({ msg }) => notReloaded.test(String(msg)));
  await stage.volume.write(stage.files(stage.pair));
  await eventually(async () => (await readMetrics(sidecar)).sum('certificate_disk_differs') === 0, {
    what: 'certificate_disk_differs to be 0 again',
  });
  assert.equal((await readMetrics(sidecar)).sum('certificate_reloads_total', { result: 'success' }), 0);
  await endsWell(sidecar);
});

test('an expired pair that is all there is at start is served, shouted about, and replaced', async (t) => {
  const { stage, port } = await begin(t);
  const expired = await stage.authority.issue({ dns: ['localhost'], notAfter: new Date(Date.now() - dayMs) });
  await stage.volume.write(stage.files(expired));
  const sidecar = await stage.start({ upstream: port });
  assert.equal(await serialServed(sidecar), expired.serial);
  const line = await sidecar.waitForLog('the certificate that is served is outside its dates');
  assert.equal(line.level, 'error');
  const next = await stage.issue();
  await stage.volume.write(stage.files(next));
  await eventually(async () => (await serialServed(sidecar)) === next.serial, { what: 'the new serial' });
  await endsWell(sidecar);
});
