// The token bucket: a burst at once, a rate in the long run, and no debt for what was refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket } from '../../../src/net/token-bucket.ts';

function bucketOf(burst: number, perSecond: number) {
  const time = { nowMs: 1000 };
  const bucket = new TokenBucket({ burst, perSecond }, () => time.nowMs);
  const taken = (attempts: number): number =>
    Array.from({ length: attempts }, () => bucket.take()).filter(Boolean).length;
  return { time, taken };
}

test('a burst is taken at once, and not one more', () => {
  const { taken } = bucketOf(5, 1);
  assert.equal(taken(100), 5);
});

test('tokens come back at the rate, up to the burst', () => {
  const { time, taken } = bucketOf(5, 2);
  taken(5);
  time.nowMs += 499;
  assert.equal(taken(1), 0);
  time.nowMs += 1;
  assert.equal(taken(2), 1);
  time.nowMs += 3_600_000;
  assert.equal(taken(100), 5);
});

test('what was refused is not owed', () => {
  const { time, taken } = bucketOf(1, 1 / 60);
  taken(1000);
  time.nowMs += 59_999;
  assert.equal(taken(1000), 0);
  time.nowMs += 1;
  assert.equal(taken(1000), 1);
});
