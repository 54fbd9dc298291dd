// Files that an operator may name by mistake: none is waited for, and none fills the memory.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OddFile, readSmallFile } from '../../src/files.ts';

const MIB = 1 << 20;
const dir = mkdtempSync(join(tmpdir(), 'files-'));
after(() => rmSync(dir, { recursive: true }));

const whatOf = (path: string): string => {
  try {
    return `${readSmallFile(path).length} bytes`;
  } catch (error) {
    return error instanceof OddFile ? error.what : String((error as NodeJS.ErrnoException).code);
  }
};

test('a file of at most 1 MiB is read to its end, one without a size too', () => {
  const path = join(dir, 'file');
  for (const bytes of [0, 1, 16_384, 16_385, MIB]) {
    writeFileSync(path, Buffer.alloc(bytes, 'x'));
    assert.equal(readSmallFile(path).toString('latin1'), 'x'.repeat(bytes));
  }
  assert.match(readSmallFile('/proc/self/status').toString(), /^Name:\s/);
});

test('a larger one is not', () => {
  const path = join(dir, 'large');
  writeFileSync(path, '');
  for (const bytes of [MIB + 1, 3 * 2 ** 30]) {
    truncateSync(path, bytes);
    assert.equal(whatOf(path), 'is larger than 1 MiB');
  }
});

test('a file that is larger than its size is read to 1 MiB at the most', (t) => {
  const path = join(dir, 'grown');
  writeFileSync(path, Buffer.alloc(2 * MIB));
  const stats = fs.fstatSync;
  t.mock.method(fs, 'fstatSync', (fd: number) => Object.assign(stats(fd), { size: 0 }));
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.equal(whatOf(path), 'is larger than 1 MiB');
});

test('what is no file is refused at once, a FIFO that nobody writes too', async (t) => {
  const path = join(dir, 'fifo');
  execFileSync('mkfifo', [path]);
  const socket = join(dir, 'socket');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  t.after(() => server.close());
  for (const odd of [path, dir, socket, '/dev/zero']) assert.equal(whatOf(odd), 'is not a regular file');
  assert.equal(whatOf(join(dir, 'none')), 'ENOENT');
});
