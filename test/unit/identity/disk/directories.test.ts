// The directories that decide what a path leads to: whichever of them changes, something else may be read.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { directoriesOnTheWay, fingerprintOf } from '../../../../src/identity/disk/directories.ts';
import { createSecretVolume } from '../../../support/secret-volume.ts';

let dir: string;
beforeEach((t) => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'directories-')));
  if ('after' in t) t.after(() => rmSync(dir, { recursive: true }));
});

const at = (...parts: string[]): string => join(dir, ...parts);
const mentioned = (path: string): string[] => directoriesOnTheWay([path]).map((one) => one.slice(dir.length + 1));

describe('the directories on the way to', () => {
  test('a plain file: its own', () => {
    mkdirSync(at('certs'));
    writeFileSync(at('certs', 'a'), '');
    assert.deepEqual(mentioned(at('certs', 'a')), ['certs']);
    assert.deepEqual(mentioned(at('certs', 'missing')), ['certs']);
  });

  test('a volume of Kubernetes: the mount only, which stays the same over swaps', async () => {
    const volume = await createSecretVolume(at('certs'));
    assert.deepEqual(mentioned(volume.path('tls.crt')), ['certs']);
    await volume.write({ 'tls.crt': '1' });
    const before = mentioned(volume.path('tls.crt'));
    await volume.write({ 'tls.crt': '2' });
    assert.deepEqual([before, mentioned(volume.path('tls.crt'))], [['certs'], ['certs']]);
  });

  test('a link to a file elsewhere: both', () => {
    for (const name of ['etc', 'live']) mkdirSync(at(name));
    writeFileSync(at('live', 'x.pem'), '');
    symlinkSync('../live/x.pem', at('etc', 'tls.crt'));
    assert.deepEqual(mentioned(at('etc', 'tls.crt')), ['etc', 'live']);
  });

  test('a chain of links through a linked directory: all', () => {
    for (const name of ['etc', 'one', 'store']) mkdirSync(at(name));
    symlinkSync('one', at('current'));
    symlinkSync(at('current', 'x.pem'), at('etc', 'tls.crt'));
    symlinkSync('../store/y.pem', at('one', 'x.pem'));
    assert.deepEqual(mentioned(at('etc', 'tls.crt')), ['', 'etc', 'one', 'store']);
  });

  test('what does not exist: the nearest that does', () => {
    assert.deepEqual(mentioned(at('none', 'of', 'these')), ['']);
    mkdirSync(at('none'));
    assert.deepEqual(mentioned(at('none', 'of', 'these')), ['none']);
  });

  test('links that go round: it ends', () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    assert.deepEqual(mentioned(at('a')), ['']);
  });

  test('several files: each directory once', () => {
    mkdirSync(at('certs'));
    assert.deepEqual(directoriesOnTheWay([at('certs', 'a'), at('certs', 'b')]), [at('certs')]);
  });
});

test('a directory that takes the place of another one has another fingerprint', () => {
  mkdirSync(at('old'));
  mkdirSync(at('new'));
  const before = fingerprintOf(at('old'));
  assert.equal(fingerprintOf(at('old')), before);
  rmSync(at('old'), { recursive: true });
  assert.notEqual(fingerprintOf(at('old')), before);
  renameSync(at('new'), at('old'));
  assert.notEqual(fingerprintOf(at('old')), before);
});
