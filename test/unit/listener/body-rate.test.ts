// How fast bodies have to move, on a clock that the test holds.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { BodyRate } from '../../../src/listener/body-rate.ts';

const RATE = 240;
const TIMEOUT_MS = 60_000;

let nowMs: number;
let rate: BodyRate;
beforeEach(() => {
  nowMs = 5000;
  rate = new BodyRate({ minBodyRate: RATE, clientTimeoutMs: TIMEOUT_MS });
});

/** Second by second, with `bytes` in each; says after how many the rate was too low. */
function move(bytes: number, seconds: number): number | undefined {
  for (let second = 1; second <= seconds; second++) {
    nowMs += 1000;
    rate.bytes += bytes;
    if (rate.deadlineMs <= nowMs && rate.fails(nowMs)) return second;
  }
  return undefined;
}

describe('a body', () => {
  beforeEach(() => rate.run(nowMs));

  test('that comes with the least rate may come for ever', () => assert.equal(move(RATE, 3600), undefined));

  test('that is slower ends with the first average', () => assert.equal(move(RATE - 1, 3600), 60));

  test('that does not move at all does, too', () => assert.equal(move(0, 3600), 60));

  test('that came fast and then dribbles ends with the first average that is too low', () => {
    move(1_000_000, 1);
    assert.equal(move(1, 3600), 119);
  });

  test('may stand still where its average is good', () => {
    for (let i = 0; i < 10; i++) {
      assert.equal(move(0, 50), undefined);
      assert.equal(move(RATE * 6, 10), undefined);
    }
  });
});

describe('time in which the client owes nothing', () => {
  test('does not count', () => {
    for (let i = 0; i < 100; i++) {
      rate.run(nowMs);
      assert.equal(move(RATE, 10), undefined);
      rate.rest(nowMs);
      assert.equal(rate.deadlineMs, Number.POSITIVE_INFINITY);
      nowMs += 100_000;
    }
  });

  test('does not begin a new average', () => {
    for (let i = 0; i < 6; i++) {
      rate.run(nowMs);
      assert.equal(move(1, 10), i < 5 ? undefined : 10);
      rate.rest(nowMs);
      nowMs += 100_000;
    }
  });

  test('is not asked for twice', () => {
    rate.run(nowMs);
    nowMs += 30_000;
    rate.run(nowMs);
    assert.equal(rate.deadlineMs, nowMs + 30_000);
  });
});

describe('where others wait', () => {
  test('a body lags that is too slow so far, after a moment', () => {
    rate.run(nowMs);
    assert.equal(rate.lags(nowMs + 499), false);
    assert.equal(rate.lags(nowMs + 500), true);
    rate.bytes += RATE;
    assert.equal(rate.lags(nowMs + 1000), false);
    assert.equal(rate.lags(nowMs + 1001), true);
  });

  test('it does not while the client owes nothing', () => {
    rate.run(nowMs);
    rate.rest(nowMs + 10_000);
    assert.equal(rate.lags(nowMs + 20_000), false);
  });

  test('another exchange has its own rate', () => {
    rate.run(nowMs);
    nowMs += 10_000;
    rate.reset();
    rate.run(nowMs);
    assert.equal(rate.lags(nowMs), false);
    assert.equal(rate.deadlineMs, nowMs + TIMEOUT_MS);
  });
});

test('without a least rate nothing is too slow', () => {
  rate = new BodyRate({ minBodyRate: 0, clientTimeoutMs: TIMEOUT_MS });
  rate.run(nowMs);
  assert.deepEqual([rate.deadlineMs, rate.lags(nowMs + TIMEOUT_MS)], [Number.POSITIVE_INFINITY, false]);
});
