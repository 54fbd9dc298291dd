// One consistent pair from the disk: volumes of Kubernetes, plain directories, links, and swaps in the midst of a read.
import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, type TestContext, test } from 'node:test';
import { BundleError, type BundleReason } from '../../../src/identity/bundle-error.ts';
import { type PairFiles, pairPaths, readPair } from '../../../src/identity/files.ts';
import { createSecretVolume, type SecretVolume } from '../../support/secret-volume.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

type PairPaths = { cert: string; key: string };

const read = (paths: PairPaths): readonly [cert: string, key: string] => textOf(readPair(paths));
const textOf = ({ cert, key }: PairFiles): readonly [cert: string, key: string] => [cert.toString(), key.toString()];
const pathsIn = (folder: string): PairPaths => ({ cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') });

function write(folder: string, cert = 'A', key = 'a'): PairPaths {
  mkdirSync(folder, { recursive: true });
  const paths = pathsIn(folder);
  writeFileSync(paths.cert, cert);
  writeFileSync(paths.key, key);
  return paths;
}

/** Calls `meanwhile` after every file that is read, with the number of files so far. */
function afterEveryRead(t: TestContext, meanwhile: (count: number) => void): void {
  const original = fs.closeSync;
  let count = 0;
  let inside = false;
  t.mock.method(fs, 'closeSync', (...args: Parameters<typeof original>) => {
    original(...args);
    if (!inside) {
      inside = true;
      meanwhile(++count);
      inside = false;
    }
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

/** What the kubelet does, in one go: a new directory, the link renamed over, the old directory removed. */
function swap(volume: string, name: string, cert: string, key: string): void {
  const old = resolve(volume, fs.readlinkSync(join(volume, '..data')));
  write(join(volume, name), cert, key);
  symlinkSync(name, join(volume, '..data_tmp'));
  fs.renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  rmSync(old, { recursive: true });
}

describe('a pair', () => {
  test('is read from a plain directory', () => {
    assert.deepEqual(read(write(join(dir, 'certs'))), ['A', 'a']);
  });

  test('is read from the directory that ..data names, and says so', async () => {
    const volume = await createSecretVolume(join(dir, 'volume'));
    await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' });
    const found = readPair(pathsIn(volume.dir));
    assert.deepEqual(textOf(found), ['A', 'a']);
    assert.equal(found.source, fs.realpathSync(join(volume.dir, '..data')));
  });

  test('is the new one after a swap', async () => {
    const volume = await createSecretVolume(join(dir, 'volume'));
    await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' });
    read(pathsIn(volume.dir));
    await volume.write({ 'tls.crt': 'B', 'tls.key': 'b' });
    assert.deepEqual(read(pathsIn(volume.dir)), ['B', 'b']);
  });

  test('may lie in two directories, volumes or not', async () => {
    const volume = await createSecretVolume(join(dir, 'volume'));
    await volume.write({ chain: 'A' });
    const { key } = write(join(dir, 'keys'));
    assert.deepEqual(read({ cert: volume.path('chain'), key }), ['A', 'a']);
  });

  test('may be one file', () => {
    const { cert } = write(join(dir, 'certs'));
    assert.deepEqual(read({ cert, key: cert }), ['A', 'A']);
  });

  test('is the one file where that holds a key, whatever other is named', () => {
    const bundle = 'c -----BEGIN EC PRIVATE KEY-----';
    for (const paths of [
      { ...write(join(dir, 'certs'), bundle, 'other') },
      { cert: join(dir, 'certs', 'tls.crt'), key: '/nowhere' },
    ]) {
      const found = readPair(paths);
      assert.deepEqual([...textOf(found), found.keyPath], [bundle, bundle, paths.cert]);
    }
    assert.deepEqual(textOf(readPair({ cert: join(dir, 'certs', 'tls.crt'), key: undefined })), [bundle, bundle]);
  });

  test('without a key anywhere is told as such, and an empty file as empty by who parses it', () => {
    const { cert } = write(join(dir, 'certs'));
    assert.throws(() => readPair({ cert, key: undefined }), { reason: 'no_key', message: /no --key is given/ });
    writeFileSync(cert, '');
    assert.equal(readPair({ cert, key: undefined }).key.length, 0);
  });

  test('of two lists go by their order; without keys, every certificate is alone', () => {
    assert.deepEqual(pairPaths({ cert: ['a', 'b'], key: ['c', 'd'] }), [
      { cert: 'a', key: 'c' },
      { cert: 'b', key: 'd' },
    ]);
    assert.deepEqual(pairPaths({ cert: ['a'], key: [] }), [{ cert: 'a', key: undefined }]);
  });

  test('may be links to files elsewhere, and lie in a linked directory', () => {
    const real = write(join(dir, 'real'));
    const links = pathsIn(join(dir, 'links'));
    mkdirSync(dirname(links.cert));
    symlinkSync(real.cert, links.cert);
    symlinkSync(real.key, links.key);
    symlinkSync('links', join(dir, 'linked'));
    assert.deepEqual(read(pathsIn(join(dir, 'linked'))), ['A', 'a']);
  });

  test('may be named by a relative path', (t) => {
    write(join(dir, 'certs'));
    const before = process.cwd();
    process.chdir(dir);
    t.after(() => process.chdir(before));
    assert.deepEqual(read({ cert: 'certs/tls.crt', key: './certs/tls.key' }), ['A', 'a']);
  });

  test('is read where ..data is a directory, or a link to nothing: no volume of Kubernetes', () => {
    const paths = write(join(dir, 'certs'));
    mkdirSync(join(dir, 'certs', '..data'));
    assert.deepEqual(read(paths), ['A', 'a']);
    rmSync(join(dir, 'certs', '..data'), { recursive: true });
    symlinkSync('nowhere', join(dir, 'certs', '..data'));
    assert.deepEqual(read(paths), ['A', 'a']);
  });
});

describe('a pair that cannot be read', () => {
  type Prepare = (paths: PairPaths) => void;
  const large = (path: string): void => {
    writeFileSync(path, '');
    truncateSync(path, (1 << 20) + 1);
  };
  const rows: readonly (readonly [what: string, prepare: Prepare, reason: BundleReason, says: RegExp])[] = [
    ['no certificate', ({ cert }) => rmSync(cert), 'missing', /tls\.crt does not exist$/],
    ['no key', ({ key }) => rmSync(key), 'missing', /tls\.key does not exist$/],
    ['no directory', ({ cert }) => rmSync(dirname(cert), { recursive: true }), 'missing', /tls\.crt does not exist$/],
    [
      'a file where the directory is',
      ({ cert }) => {
        rmSync(dirname(cert), { recursive: true });
        writeFileSync(dirname(cert), '');
      },
      'missing',
      /tls\.crt does not exist$/,
    ],
    [
      'a link to nothing',
      ({ key }) => {
        rmSync(key);
        symlinkSync('nowhere', key);
      },
      'missing',
      /tls\.key does not exist$/,
    ],
    [
      'a link to itself',
      ({ key }) => {
        rmSync(key);
        symlinkSync('tls.key', key);
      },
      'unreadable',
      /tls\.key cannot be read \(ELOOP\)$/,
    ],
    [
      'a directory as the certificate',
      ({ cert }) => {
        rmSync(cert);
        mkdirSync(cert);
      },
      'unreadable',
      /tls\.crt is not a regular file$/,
    ],
    [
      'a device as the key',
      ({ key }) => {
        rmSync(key);
        symlinkSync('/dev/zero', key);
      },
      'unreadable',
      /tls\.key is not a regular file$/,
    ],
    ['more than 1 MiB', ({ cert }) => large(cert), 'unreadable', /tls\.crt is larger than 1 MiB/],
  ];
  for (const [what, prepare, reason, says] of rows) {
    test(`is told as ${reason}: ${what}`, () => {
      const paths = write(join(dir, 'certs'));
      prepare(paths);
      assert.throws(
        () => readPair(paths),
        (error) => {
          assert.ok(error instanceof BundleError, String(error));
          assert.equal(error.reason, reason);
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }

  test('is told as missing when the volume is still empty', async () => {
    const volume = await createSecretVolume(join(dir, 'volume'));
    assert.throws(() => readPair(pathsIn(volume.dir)), { reason: 'missing' });
    await volume.write({ 'tls.crt': 'A' });
    assert.throws(() => readPair(pathsIn(volume.dir)), { reason: 'missing', message: /tls\.key/ });
  });

  test('of exactly 1 MiB is read', () => {
    const paths = write(join(dir, 'certs'), 'x'.repeat(1 << 20));
    assert.equal(readPair(paths).cert.length, 1 << 20);
  });
});

describe('a swap in the midst of a read', () => {
  let volume: SecretVolume;
  beforeEach(async () => {
    volume = await createSecretVolume(join(dir, 'volume'));
    await volume.write({ 'tls.crt': 'A', 'tls.key': 'a' });
  });

  test('between certificate and key gives the new pair, never half of each', (t) => {
    afterEveryRead(t, (count) => count === 1 && swap(volume.dir, '..new', 'B', 'b'));
    assert.deepEqual(read(pathsIn(volume.dir)), ['B', 'b']);
  });

  test('behind the key gives the new pair', (t) => {
    afterEveryRead(t, (count) => count === 2 && swap(volume.dir, '..new', 'B', 'b'));
    assert.deepEqual(read(pathsIn(volume.dir)), ['B', 'b']);
  });

  test('four times over gives the last pair', (t) => {
    afterEveryRead(t, (count) => count <= 4 && swap(volume.dir, `..${count}`, `B${count}`, `b${count}`));
    assert.deepEqual(read(pathsIn(volume.dir)), ['B4', 'b4']);
  });

  test('again and again without end is told as changing, or as missing, and ends', (t) => {
    let reads = 0;
    afterEveryRead(t, (count) => {
      reads = count;
      swap(volume.dir, `..${count}`, `B${count}`, `b${count}`);
    });
    assert.throws(
      () => readPair(pathsIn(volume.dir)),
      (error) => error instanceof BundleError && ['changing', 'missing'].includes(error.reason),
    );
    assert.ok(reads <= 10, `${reads} reads`);
  });

  test('of a key alone in its own volume gives the new key', async (t) => {
    const keys = await createSecretVolume(join(dir, 'keys'));
    await keys.write({ 'tls.crt': '', 'tls.key': 'a' });
    afterEveryRead(t, (count) => count === 2 && swap(keys.dir, '..new', '', 'b'));
    assert.deepEqual(read({ cert: volume.path('tls.crt'), key: keys.path('tls.key') }), ['A', 'b']);
  });

  test('below a folder of the volume gives the new pair, too', (t) => {
    // `items` with a path: mount/tls → ..data/tls, and the files are below that.
    const mount = join(dir, 'items');
    write(join(mount, '..old', 'tls'), 'A', 'a');
    symlinkSync('..old', join(mount, '..data'));
    symlinkSync('..data/tls', join(mount, 'tls'));
    afterEveryRead(t, (count) => {
      if (count !== 1) return;
      write(join(mount, '..new', 'tls'), 'B', 'b');
      symlinkSync('..new', join(mount, '..data_tmp'));
      fs.renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    });
    assert.deepEqual(read(pathsIn(join(mount, 'tls'))), ['B', 'b']);
  });
});
