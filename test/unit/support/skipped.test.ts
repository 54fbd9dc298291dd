// What test/run.ts prints of skipped tests, and that its runner's TAP is read as it is written.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { skippedIn, skippedLines } from '../../support/skipped.ts';

test('skipped tests are found in what the runner writes, nested ones, too', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'skipped-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'played.test.mjs');
  await writeFile(
    file,
    `import { describe, test } from 'node:test';
     test('runs', () => {});
     test('has no tool', (t) => t.skip('needs curl'));
     describe('a group', () => test('of one', { skip: true }, () => {}));
     test('is for later', { todo: 'not yet' }, () => {});`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', file], { encoding: 'utf8', env });
  const skipped = skippedIn(stdout);
  assert.deepEqual(skipped, [
    { test: 'has no tool', reason: 'needs curl' },
    { test: 'of one', reason: 'no reason given' },
    { test: 'is for later', reason: 'not yet' },
  ]);
  assert.equal(
    skippedLines(skipped),
    'skipped: 3\n  needs curl ("has no tool")\n  no reason given ("of one")\n  not yet ("is for later")',
  );
});

test('what the command line leaves out is not skipped', () => {
  assert.deepEqual(skippedIn('ok 1 - other # SKIP test name does not match pattern\nok 2 - this\n'), []);
  assert.equal(skippedLines([]), 'skipped: none');
});
