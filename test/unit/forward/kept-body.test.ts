// The beginning of a body that may have to be sent again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptBody } from '../../../src/forward/kept-body.ts';

test('what is kept of a body is whole or nothing', () => {
  const kept = new KeptBody();
  kept.add(Buffer.alloc(60_000, 'a'));
  kept.add(Buffer.from('b'));
  assert.ok(kept.whole);
  assert.equal(kept.bytes.length, 60_001);
  kept.add(Buffer.alloc(6000));
  assert.ok(!kept.whole);
  assert.equal(kept.bytes.length, 0);
});

test('what is kept is a copy: the buffer that it came in is free for others', () => {
  const kept = new KeptBody();
  const read = Buffer.from('abc');
  kept.add(read.subarray(0, 2));
  read.fill('x');
  assert.equal(kept.bytes.toString(), 'ab');
});

test('what was dropped is not whole, whatever is added', () => {
  const kept = new KeptBody();
  kept.drop();
  kept.add(Buffer.from('a'));
  assert.ok(!kept.whole);
  assert.equal(kept.bytes.length, 0);
});
