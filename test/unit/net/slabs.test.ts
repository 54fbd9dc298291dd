// Buffers that are used again when the last who needed their bytes has let go, and never before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slabs } from '../../../src/net/slabs.ts';

test('a slab is used again when its last holder has let go', () => {
  const slabs = new Slabs(64, 2);
  const slab = slabs.take();
  assert.equal(slab.buffer.length, 64);
  slab.hold();
  slab.hold();
  slab.release();
  assert.notEqual(slabs.take(), slab);
  slab.release();
  assert.equal(slabs.take(), slab);
});

test('one that nobody held is given back at once, and no more than so many wait', () => {
  const slabs = new Slabs(64, 1);
  const [first, second] = [slabs.take(), slabs.take()];
  slabs.keep(first);
  slabs.keep(second);
  assert.equal(slabs.take(), first);
  assert.notEqual(slabs.take(), second);
});
