// Lines that anybody can cause: at once the first time, then once a minute for each kind, with their number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeldom } from '../../../src/observe/sampled.ts';

test('a kind is written at once, then at most once a minute, with how many there were', () => {
  let nowMs = 5000;
  const seldom = createSeldom(() => nowMs);
  const written: string[] = [];
  const cause = (kind: string): void => seldom(kind, (times) => written.push(`${kind} ${times}`));
  cause('a');
  assert.deepEqual(written.splice(0), ['a 1']);
  for (let i = 0; i < 1000; i++) cause('a');
  assert.deepEqual(written, []);
  cause('b');
  assert.deepEqual(written.splice(0), ['b 1']);
  nowMs += 59_999;
  cause('a');
  assert.deepEqual(written, []);
  nowMs += 1;
  cause('a');
  assert.deepEqual(written.splice(0), ['a 1002']);
  nowMs += 60_000;
  cause('a');
  assert.deepEqual(written, ['a 1']);
});

test('of some kinds several are written in each minute', () => {
  let nowMs = 0;
  const seldom = createSeldom(() => nowMs, 3);
  const written: number[] = [];
  const cause = (): void => seldom('a', (times) => written.push(times));
  for (let i = 0; i < 10; i++) cause();
  assert.deepEqual(written.splice(0), [1, 1, 1]);
  nowMs = 60_000;
  for (let i = 0; i < 10; i++) cause();
  assert.deepEqual(written, [8, 1, 1]);
});
