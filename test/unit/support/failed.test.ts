// Which files test/run.ts would run again, that its runner's TAP is read as it is written, and what counts as a standstill.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { failedFilesIn } from '../../support/failed.ts';
import { standstillsLine, watchStandstills } from '../../support/standstills.ts';

const texts: Record<string, string> = {
  'good.test.mjs': `test('runs', () => {}); test('todo', { todo: true }, () => assert.fail());`,
  'bad.test.mjs': `test('fails: # 1', () => assert.fail('not ok 1 - x'));`,
  'deep.test.mjs': `describe('a', () => describe('b', () => { test('fails', () => assert.fail()); test('runs', () => {}); }));`,
  'gone.test.mjs': `test('runs', () => {}); process.exit(3);`,
  'broken.test.mjs': `const = 1;`,
};

test('the files of failed tests are found in what the runner writes', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'failed-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const imports = `import assert from 'node:assert'; import { describe, test } from 'node:test';`;
  for (const [name, text] of Object.entries(texts)) await writeFile(join(dir, name), imports + text);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const tapOf = (files: string[]): string =>
    spawnSync(process.execPath, ['--test', '--test-reporter=tap', ...files], { encoding: 'utf8', env, cwd: dir })
      .stdout;
  const all = Object.keys(texts);
  for (const file of all)
    assert.deepEqual(failedFilesIn(tapOf([file]), all), file === 'good.test.mjs' ? [] : [file], file);
  assert.deepEqual(failedFilesIn(tapOf(all), all)?.sort(), all.filter((file) => file !== 'good.test.mjs').sort());
  assert.equal(failedFilesIn(tapOf(all), ['good.test.mjs', 'bad.test.mjs']), undefined);
});

test('a standstill is what an idle process is woken late by', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  let nowMs = 0;
  const told = watchStandstills(() => nowMs);
  for (const tookMs of [100, 110, 500, 100, 700, 3100]) {
    nowMs += tookMs;
    mock.timers.tick(100);
  }
  const standstills = told();
  assert.deepEqual(standstills, { count: 2, longestMs: 3000 });
  const line = 'this machine: stood still 2 times for more than 0.5 s, 3.0 s at the longest';
  assert.equal(standstillsLine(standstills), line);
  assert.equal(standstillsLine({ count: 0, longestMs: 0 }), 'this machine: never stood still');
});
