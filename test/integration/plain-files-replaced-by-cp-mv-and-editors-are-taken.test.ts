// Certificates that are plain files, without a Secret volume: however they are replaced, and in whichever order, the new
// pair is served once it is whole, and a half-written one never.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Issued } from '../../certs/authority.ts';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Stage, serialServed, setStage } from '../support/stage.ts';
import { withoutPoll } from '../support/without-poll.ts';

type Files = { cert: string; key: string };
type Scene = { stage: Stage; files: Files; next: Issued; sidecar: Sidecar };

async function begin(t: TestContext, files?: (stage: Stage) => Promise<Files>): Promise<Scene> {
  const stage = await setStage(t);
  const dir = join(stage.dir, 'plain');
  await mkdir(dir);
  const chosen = (await files?.(stage)) ?? { cert: join(dir, 'server.pem'), key: join(dir, 'server.key') };
  await writeFile(chosen.cert, stage.pair.chain);
  await writeFile(chosen.key, stage.pair.key);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port, env: withoutPoll, ...chosen });
  return { stage, files: chosen, next: await stage.issue(), sidecar };
}

async function assertTaken({ sidecar, next }: Scene): Promise<void> {
  await eventually(async () => (await serialServed(sidecar)) === next.serial, { what: 'the new serial' });
  assert.equal((await readMetrics(sidecar)).sum('certificate_disk_differs'), 0);
  await endsWell(sidecar);
}

async function assertStillOld({ sidecar, stage }: Scene): Promise<void> {
  await eventually(async () => (await readMetrics(sidecar)).sum('certificate_disk_differs') === 1, {
    what: 'certificate_disk_differs to be 1',
  });
  assert.equal(await serialServed(sidecar), stage.pair.serial);
}

describe('a new pair is taken', { concurrency: 4 }, () => {
  test('the certificate first, the key later', async (t) => {
    const scene = await begin(t);
    await writeFile(scene.files.cert, scene.next.chain);
    await assertStillOld(scene);
    await writeFile(scene.files.key, scene.next.key);
    await assertTaken(scene);
  });

  test('the key first, the certificate later', async (t) => {
    const scene = await begin(t);
    await writeFile(scene.files.key, scene.next.key);
    await assertStillOld(scene);
    await writeFile(scene.files.cert, scene.next.chain);
    await assertTaken(scene);
  });

  test('truncated in place and written piece by piece', async (t) => {
    const scene = await begin(t);
    await writeFile(scene.files.cert, '');
    await assertStillOld(scene);
    const half = Math.floor(scene.next.chain.length / 2);
    await appendFile(scene.files.cert, scene.next.chain.slice(0, half));
    await scene.sidecar.waitForLog(({ reason }) => reason === 'malformed_certificate');
    await appendFile(scene.files.cert, scene.next.chain.slice(half));
    await scene.sidecar.waitForLog(({ reason }) => reason === 'key_mismatch');
    await assertStillOld(scene);
    await writeFile(scene.files.key, scene.next.key);
    await assertTaken(scene);
  });

  test('cp over both', async (t) => {
    const scene = await begin(t);
    const { stage, next, files } = scene;
    await writeFile(join(stage.dir, 'new.crt'), next.chain);
    await writeFile(join(stage.dir, 'new.key'), next.key);
    execFileSync('cp', [join(stage.dir, 'new.crt'), files.cert]);
    execFileSync('cp', [join(stage.dir, 'new.key'), files.key]);
    await assertTaken(scene);
  });

  test('mv over both', async (t) => {
    const scene = await begin(t);
    const { stage, next, files } = scene;
    await writeFile(join(stage.dir, 'new.crt'), next.chain);
    await writeFile(join(stage.dir, 'new.key'), next.key);
    execFileSync('mv', [join(stage.dir, 'new.key'), files.key]);
    execFileSync('mv', [join(stage.dir, 'new.crt'), files.cert]);
    await assertTaken(scene);
  });

  test('an editor: the old file renamed to a backup, a new one renamed into its place', async (t) => {
    const scene = await begin(t);
    for (const [path, text] of [
      [scene.files.cert, scene.next.chain],
      [scene.files.key, scene.next.key],
    ] as const) {
      await writeFile(`${path}.swp`, text);
      await rename(path, `${path}~`);
      await rename(`${path}.swp`, path);
      await rm(`${path}~`);
    }
    await assertTaken(scene);
  });

  test('removed and written again', async (t) => {
    const scene = await begin(t);
    await rm(scene.files.cert);
    await rm(scene.files.key);
    await assertStillOld(scene);
    await writeFile(scene.files.key, scene.next.key);
    await writeFile(scene.files.cert, scene.next.chain);
    await assertTaken(scene);
  });

  test('certificate and key in two directories', async (t) => {
    const scene = await begin(t, async ({ dir }) => {
      await mkdir(join(dir, 'public'));
      await mkdir(join(dir, 'private'));
      return { cert: join(dir, 'public', 'a.crt'), key: join(dir, 'private', 'a.key') };
    });
    await writeFile(scene.files.key, scene.next.key);
    await writeFile(scene.files.cert, scene.next.chain);
    await assertTaken(scene);
  });

  test('a directory that is a link, which is pointed at another one', async (t) => {
    const scene = await begin(t, async ({ dir }) => {
      await mkdir(join(dir, 'one'));
      await symlink('one', join(dir, 'live'));
      return { cert: join(dir, 'live', 'a.crt'), key: join(dir, 'live', 'a.key') };
    });
    const { dir } = scene.stage;
    await mkdir(join(dir, 'two'));
    await writeFile(join(dir, 'two', 'a.crt'), scene.next.chain);
    await writeFile(join(dir, 'two', 'a.key'), scene.next.key);
    await symlink('two', join(dir, 'live.new'));
    await rename(join(dir, 'live.new'), join(dir, 'live'));
    await assertTaken(scene);
  });

  test('files that are links to files elsewhere', async (t) => {
    const scene = await begin(t, async ({ dir }) => {
      await mkdir(join(dir, 'elsewhere'));
      const files = { cert: join(dir, 'plain', 'a.crt'), key: join(dir, 'plain', 'a.key') };
      await symlink(join(dir, 'elsewhere', 'a.crt'), files.cert);
      await symlink(join(dir, 'elsewhere', 'a.key'), files.key);
      return files;
    });
    await writeFile(scene.files.key, scene.next.key);
    await writeFile(scene.files.cert, scene.next.chain);
    await assertTaken(scene);
  });
});

test('a relative path is read from the working directory', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const cert = join('certs', 'tls.crt');
  const key = join('certs', 'tls.key');
  const sidecar = await stage.start({ upstream: app.port, cert, key, cwd: stage.dir, env: withoutPoll });
  const next = await stage.issue();
  await stage.volume.write(stage.files(next));
  await eventually(async () => (await serialServed(sidecar)) === next.serial, {
    what: 'the new serial',
  });
  await endsWell(sidecar);
});
