// After the busy time that its start is, the program collects everything once (on Node 22 and newer), and not again.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { eventually } from '../support/poll.ts';
import { launch } from '../support/program.ts';

const node = process.env.TEST_NODE ?? process.execPath;
const major = Number(execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.')[0]);
/** As --trace-gc tells of a collection that was asked for, and shrinks the heap. */
const SHRINKING = /Mark-Compact \(reduce\).*testing/g;

it('an idle program collects its garbage by itself, where Node can shrink the heap', { timeout: 120_000 }, async () => {
  const args = [
    '--wait-for-cert',
    '--cert',
    '/nowhere/tls.crt',
    '--key',
    '/nowhere/tls.key',
    '--listen',
    '127.0.0.1:0',
  ];
  const run = launch([...args, '--admin', 'off'], { nodeArgs: ['--trace-gc'] });
  const collections = (): number => run.stdout().match(SHRINKING)?.length ?? 0;
  await eventually(() => run.stdout().includes('"msg"'), { what: 'a line of the log' });
  if (major >= 22) await eventually(() => collections() > 0, { what: 'a collection' });
  run.child.kill('SIGTERM');
  assert.equal((await run.exited).code, 0, run.stderr());
  // V8 looks twice, for what the first look has set free.
  assert.ok(collections() <= (major >= 22 ? 2 : 0), run.stdout());
});
