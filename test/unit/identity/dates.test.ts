// When a certificate's dates hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isValidAt } from '../../../src/identity/dates.ts';

test('from the first moment on and up to, not at, the last', () => {
  const dates = { notBefore: new Date(1000), notAfter: new Date(2000) };
  assert.deepEqual(
    [999, 1000, 1999, 2000].map((ms) => isValidAt(dates, new Date(ms))),
    [false, true, true, false],
  );
});
