// When a certificate's dates hold, and how near their end is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isValidAt, stepsToEnd } from '../../../src/identity/dates.ts';

test('from the first moment on and up to, not at, the last', () => {
  const dates = { notBefore: new Date(1000), notAfter: new Date(2000) };
  assert.deepEqual(
    [999, 1000, 1999, 2000].map((ms) => isValidAt(dates, new Date(ms))),
    [false, true, true, false],
  );
});

const DAY_MS = 86_400_000;

/** How many days are left when each step is reached, tried every tenth of a day. */
function stepsOf(lifeDays: number): number[] {
  const dates = { notBefore: new Date(0), notAfter: new Date(lifeDays * DAY_MS) };
  const found: number[] = [];
  let steps = 0;
  for (let tenths = lifeDays * 10; tenths >= 0; tenths--) {
    const now = stepsToEnd(dates, new Date(lifeDays * DAY_MS - (tenths * DAY_MS) / 10));
    if (now > steps) found.push(tenths / 10);
    steps = now;
  }
  return found;
}

test('the end comes near at a third, at a tenth, and on each day of the last week', () => {
  assert.deepEqual(stepsOf(90), [30, 9, 7, 6, 5, 4, 3, 2, 1]);
  assert.deepEqual(stepsOf(30), [10, 7, 6, 5, 4, 3, 2, 1]);
});

test('the days of a short life count only in its last third', () => {
  assert.deepEqual(stepsOf(9), [3, 2, 1, 0.9]);
  assert.deepEqual(stepsOf(3), [1, 0.3]);
});

test('outside of the dates there is no step back', () => {
  const dates = { notBefore: new Date(0), notAfter: new Date(90 * DAY_MS) };
  assert.equal(stepsToEnd(dates, new Date(-DAY_MS)), 0);
  assert.equal(stepsToEnd(dates, new Date(91 * DAY_MS)), 9);
});
