// When the files are looked at again: at events wherever a path leads, again and again while something is wrong, and after
// the watch itself was lost.
import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { watchFiles } from '../../../src/identity/watch.ts';
import { eventually } from '../../support/poll.ts';

type Seen = { hints: number; failed: string[]; rearmed: string[]; well: boolean };

async function begin(t: TestContext, prepare: (dir: string) => string[] = (dir) => [join(dir, 'certs', 'tls.crt')]) {
  const dir = mkdtempSync(join(tmpdir(), 'watch-'));
  mkdirSync(join(dir, 'certs'));
  const seen: Seen = { hints: 0, failed: [], rearmed: [], well: true };
  const watch = watchFiles({
    paths: prepare(dir),
    onHint() {
      seen.hints += 1;
      return seen.well;
    },
    observer: {
      failed: (error) => void seen.failed.push((error as NodeJS.ErrnoException).code ?? ''),
      rearmed: (why) => void seen.rearmed.push(why),
    },
  });
  t.after(async () => {
    await watch.close();
    rmSync(dir, { recursive: true });
  });
  return { dir, seen };
}

/** Without it, only events tell of a change. */
function stopPoll(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setInterval'] });
}

/** Writes until it is noticed: the watch of the system needs a moment to stand. */
async function noticed(seen: Seen, write: (count: number) => void, what: string): Promise<void> {
  const before = seen.hints;
  let count = 0;
  const written = (): boolean => {
    write(count++);
    return seen.hints > before;
  };
  await eventually(written, { what, everyMs: 200 });
}

test('a burst of events is one hint', async (t) => {
  stopPoll(t);
  const { dir, seen } = await begin(t);
  const write = (count: number): void => writeFileSync(join(dir, 'certs', 'tls.crt'), String(count));
  await noticed(seen, write, 'the first hint');
  const before = seen.hints;
  for (let count = 0; count < 50; count += 1) write(count);
  await eventually(() => seen.hints > before, { what: 'the hint' });
  assert.equal(seen.hints, before + 1);
});

test('events without end do not put the look off without end', async (t) => {
  stopPoll(t);
  const { dir, seen } = await begin(t);
  await noticed(seen, () => writeFileSync(join(dir, 'certs', 'x'), ''), 'the first hint');
  const before = seen.hints;
  // Every 20 ms: never silent for as long as a burst settles.
  let count = 0;
  const looked = (): boolean => {
    writeFileSync(join(dir, 'certs', 'x'), String(count++));
    return seen.hints >= before + 2;
  };
  await eventually(looked, { what: 'two looks in the midst of it' });
});

test('what changes before the watch stands is looked at', async (t) => {
  stopPoll(t);
  const { seen } = await begin(t);
  await eventually(() => seen.hints > 0, { what: 'a look once it stands' });
});

test('a file behind links, and a link that is pointed elsewhere', async (t) => {
  stopPoll(t);
  const { dir, seen } = await begin(t, (root) => {
    for (const name of ['one', 'two']) mkdirSync(join(root, name));
    symlinkSync('one', join(root, 'live'));
    symlinkSync('../live/tls.crt', join(root, 'certs', 'tls.crt'));
    return [join(root, 'certs', 'tls.crt')];
  });
  await noticed(seen, (count) => writeFileSync(join(dir, 'one', 'tls.crt'), String(count)), 'a write behind the links');
  symlinkSync('two', join(dir, 'live.new'));
  const before = seen.hints;
  renameSync(join(dir, 'live.new'), join(dir, 'live'));
  await eventually(() => seen.hints > before && seen.rearmed.includes('moved'), { what: 'the other link' });
  await noticed(
    seen,
    (count) => writeFileSync(join(dir, 'two', 'tls.crt'), String(count)),
    'a write behind the other link',
  );
});

test('a directory that is removed and made again is watched again', async (t) => {
  stopPoll(t);
  const { dir, seen } = await begin(t);
  const path = join(dir, 'certs', 'tls.crt');
  await noticed(seen, (count) => writeFileSync(path, String(count)), 'the first hint');
  rmSync(join(dir, 'certs'), { recursive: true });
  await eventually(() => seen.rearmed.length === 1, { what: 'the watch on what is above' });
  mkdirSync(join(dir, 'certs'));
  await eventually(() => seen.rearmed.length === 2, { what: 'the watch on the new directory' });
  await noticed(seen, (count) => writeFileSync(path, String(count)), 'a write in the new directory');
  assert.deepEqual(seen.rearmed, ['moved', 'moved']);
});

test('what is wrong is looked at again without an event, and less often each time', async (t) => {
  stopPoll(t);
  const { dir, seen } = await begin(t);
  seen.well = false;
  await noticed(seen, () => writeFileSync(join(dir, 'certs', 'x'), ''), 'the first hint');
  const [start, at] = [performance.now(), seen.hints];
  await eventually(() => seen.hints >= at + 3, { what: 'three more looks' });
  // 250, 500 and 1000 ms.
  assert.ok(performance.now() - start > 700);
});

test('a watch that the system refuses is told once and set up as soon as it can be', async (t) => {
  const original = fs.watch;
  let refused = 0;
  let refusing = true;
  t.mock.method(fs, 'watch', (...args: Parameters<typeof original>) => {
    if (!refusing) return original(...args);
    refused += 1;
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const { dir, seen } = await begin(t);
  await eventually(() => seen.failed.length > 0, { what: 'the failure' });
  await eventually(() => refused >= 2, { what: 'another attempt' });
  refusing = false;
  const armed = seen.rearmed.length;
  await eventually(() => seen.rearmed.length > armed, { what: 'the watch' });
  await noticed(seen, (count) => writeFileSync(join(dir, 'certs', 'x'), String(count)), 'a write');
  assert.deepEqual(seen.failed, ['ENOSPC']);
  assert.ok(seen.rearmed.every((why) => why === 'failed'));
});
