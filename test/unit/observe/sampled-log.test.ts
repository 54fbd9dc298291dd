// Lines that anybody can cause: at once the first time, then once a minute for each kind, with their number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSampledLog } from '../../../src/observe/sampled-log.ts';

test('a kind is written at once, then at most once a minute, with how many there were', () => {
  let nowMs = 5000;
  const sampled = createSampledLog(() => nowMs);
  const written: string[] = [];
  const cause = (kind: string): void => sampled(kind, (times) => written.push(`${kind} ${times}`));
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
  const sampled = createSampledLog(() => nowMs, 3);
  const written: number[] = [];
  const cause = (): void => sampled('a', (times) => written.push(times));
  for (let i = 0; i < 10; i++) cause();
  assert.deepEqual(written.splice(0), [1, 1, 1]);
  nowMs = 60_000;
  for (let i = 0; i < 10; i++) cause();
  assert.deepEqual(written, [8, 1, 1]);
});

test('a kind that comes all the time gets its lines, and no more', () => {
  let nowMs = 0;
  const sampled = createSampledLog(() => nowMs, 6);
  let lines = 0;
  let told = 0;
  for (; nowMs < 600_000; nowMs += 100) {
    sampled('a', (times) => {
      lines++;
      told += times;
    });
  }
  assert.ok(lines >= 59 && lines <= 66, `${lines} lines in ten minutes`);
  assert.ok(told <= 6000 && told > 5900, `${told} are told of`);
});
