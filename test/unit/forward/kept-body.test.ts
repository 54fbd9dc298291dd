// The beginning of a body that may have to be sent again.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { KeptBody } from '../../../src/forward/kept-body.ts';
import { Budget } from '../../../src/net/budget.ts';

const budget = new Budget({ bytes: 64 << 20, percent: 50 });
const account = budget.open('a');

afterEach(() => assert.equal(budget.held, 0));

test('what is kept of a body is whole or nothing', () => {
  const kept = new KeptBody(account);
  kept.add(Buffer.alloc(60_000, 'a'));
  kept.add(Buffer.from('b'));
  assert.ok(kept.whole);
  assert.equal(kept.bytes.length, 60_001);
  kept.add(Buffer.alloc(6000));
  assert.ok(!kept.whole);
  assert.equal(kept.bytes.length, 0);
});

test('what is kept is a copy: the buffer that it came in is free for others', () => {
  const kept = new KeptBody(account);
  const read = Buffer.from('abc');
  kept.add(read.subarray(0, 2));
  read.fill('x');
  assert.equal(kept.bytes.toString(), 'ab');
  kept.drop();
});

test('what was dropped is not whole, whatever is added', () => {
  const kept = new KeptBody(account);
  kept.drop();
  kept.add(Buffer.from('a'));
  assert.ok(!kept.whole);
  assert.equal(kept.bytes.length, 0);
});

test('what is kept is counted as the memory that it takes, which is no more than twice its bytes', () => {
  const kept = new KeptBody(account);
  for (let i = 0; i < 5000; i++) kept.add(Buffer.from('a'));
  assert.ok(budget.held >= 5000 && budget.held <= 10_000, `${budget.held} bytes`);
  assert.equal(kept.bytes.length, 5000);
  kept.drop();
});
