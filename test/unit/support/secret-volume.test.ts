import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createSecretVolume } from '../../support/secret-volume.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'secret-volume-'));
});
afterEach(() => rm(dir, { recursive: true }));

test('a write lays the volume out as the kubelet does', async () => {
  const volume = await createSecretVolume(dir);
  assert.equal(await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' }), true);

  const target = await readlink(join(dir, '..data'));
  assert.match(target, /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\w{6}$/);
  assert.deepEqual((await readdir(dir)).sort(), [target, '..data', 'tls.crt', 'tls.key'].sort());
  assert.equal(await readlink(join(dir, 'tls.crt')), '..data/tls.crt');
  assert.equal(await readFile(volume.path('tls.key'), 'utf8'), 'a');
  assert.equal((await stat(join(dir, target))).mode & 0o777, 0o755);
  assert.equal((await stat(volume.path('tls.key'))).mode & 0o777, 0o644);
});

test('a second write swaps both files at once and removes the old directory', async () => {
  const volume = await createSecretVolume(dir, { mode: 0o600 });
  await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' });
  const before = await realpath(join(dir, '..data'));
  await volume.write({ 'tls.crt': 'B', 'tls.key': 'b' });
  const after = await realpath(join(dir, '..data'));

  assert.notEqual(after, before);
  await assert.rejects(stat(before), { code: 'ENOENT' });
  assert.equal(await readFile(volume.path('tls.crt'), 'utf8'), 'B');
  assert.equal((await stat(volume.path('tls.crt'))).mode & 0o777, 0o600);
  assert.equal((await readdir(dir)).length, 4);
});

test('the same content again swaps nothing', async () => {
  const volume = await createSecretVolume(dir);
  await volume.write({ 'tls.crt': 'A' });
  const before = await readlink(join(dir, '..data'));
  assert.equal(await volume.write({ 'tls.crt': 'A' }), false);
  assert.equal(await readlink(join(dir, '..data')), before);
});

test('a key that left the Secret leaves the volume, a new one joins it', async () => {
  const volume = await createSecretVolume(dir);
  await volume.write({ 'tls.crt': 'A', 'ca.crt': 'C' });
  assert.equal(await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' }), true);
  const visible = (await readdir(dir)).filter((name) => !name.startsWith('..'));
  assert.deepEqual(visible.sort(), ['tls.crt', 'tls.key']);
});

test('names that a Secret cannot have are refused', async () => {
  const volume = await createSecretVolume(dir);
  await assert.rejects(volume.write({ '..data': 'x' }), /not a key of a Secret/);
  await assert.rejects(volume.write({ 'a/b': 'x' }), /not a key of a Secret/);
});
