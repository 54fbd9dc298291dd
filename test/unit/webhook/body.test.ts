// The body of a review: whole at the end, bounded, and counted to its client while it is held.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { Budget } from '../../../src/net/budget.ts';
import { MAX_REVIEW_BYTES, ReviewBody } from '../../../src/webhook/body.ts';

const budget = (): Budget => new Budget({ bytes: 64 << 20, percent: 50 });

test('pieces come together, in memory of their own', () => {
  const held = budget();
  const body = new ReviewBody(held.open('a'), UNKNOWN_LENGTH);
  const piece = Buffer.from('0123456789');
  for (let at = 0; at < 5000; at += 1) assert.ok(body.add(piece));
  piece.fill(0);
  assert.equal(body.bytes.toString(), '0123456789'.repeat(5000));
  assert.ok(held.held >= 50_000 && held.held <= 100_000, `${held.held}`);
  body.drop();
  assert.deepEqual([held.held, body.bytes.length], [0, 0]);
});

test('no more is held than was announced, nor before it comes', () => {
  const held = budget();
  const body = new ReviewBody(held.open('a'), 100_000);
  assert.equal(held.held, 0);
  body.add(Buffer.alloc(10));
  assert.ok(held.held <= 8192);
  for (let at = 0; at < 9; at += 1) body.add(Buffer.alloc(11_110));
  assert.equal(body.bytes.length, 100_000);
  assert.equal(held.held, 100_000);
});

test('3 MiB are taken, and not a byte more', () => {
  const body = new ReviewBody(budget().open('a'), UNKNOWN_LENGTH);
  assert.ok(body.add(Buffer.alloc(MAX_REVIEW_BYTES)));
  assert.equal(body.add(Buffer.alloc(1)), false);
  assert.equal(body.bytes.length, MAX_REVIEW_BYTES);
});
