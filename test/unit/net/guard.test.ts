// A throw in a callback goes to the callback's owner.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guarded } from '../../../src/net/guard.ts';

test('what a callback throws is told to its owner, and to nobody else', () => {
  const told: unknown[] = [];
  const owner = { crashed: (error: unknown) => void told.push(error) };
  const error = new Error('a defect');
  guarded(owner, () => {
    throw error;
  })();
  assert.deepEqual(told, [error]);
});

test('a callback that does not throw gets its value', () => {
  const got: number[] = [];
  const callback = guarded({ crashed: assert.fail }, (value: number) => void got.push(value));
  callback(1);
  callback(2);
  assert.deepEqual(got, [1, 2]);
});
