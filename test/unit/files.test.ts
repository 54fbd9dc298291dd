// Files that an operator may name by mistake: none is waited for, and none fills the memory.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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

test('what is no file is refused at once, a FIFO that nobody writes too', () => {
  const path = join(dir, 'fifo');
  execFileSync('mkfifo', [path]);
  for (const odd of [path, dir, '/dev/zero']) assert.equal(whatOf(odd), 'is not a regular file');
  assert.equal(whatOf(join(dir, 'none')), 'ENOENT');
});
