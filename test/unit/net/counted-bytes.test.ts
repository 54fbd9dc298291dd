// Bytes that are kept in blocks are the bytes that came, counted as the memory that they take.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget } from '../../../src/net/budget.ts';
import { CountedBytes } from '../../../src/net/counted-bytes.ts';

const MOST = 10_000;

for (const piece of [1, 7, 512, 3333, MOST])
  test(`pieces of ${piece} bytes, up to the last one that fits`, () => {
    const budget = new Budget({ bytes: 64 << 20, percent: 50 });
    const kept = new CountedBytes(budget.open('a'), MOST);
    let came = Buffer.alloc(0);
    for (let n = 0; ; n++) {
      const chunk = Buffer.alloc(piece, n % 251);
      if (!kept.add(chunk, 512)) break;
      chunk.fill('x');
      came = Buffer.concat([came, Buffer.alloc(piece, n % 251)]);
      assert.equal(kept.length, came.length);
      assert.ok(budget.held <= Math.max(512, Math.min(MOST, 2 * came.length)), `${budget.held} for ${came.length}`);
    }
    assert.equal(came.length, MOST - (MOST % piece));
    assert.ok(kept.bytes.equals(came));
    kept.drop();
    assert.deepEqual([kept.length, kept.bytes.length, budget.held], [0, 0, 0]);
    assert.ok(kept.add(Buffer.from('again'), 0));
    assert.equal(kept.bytes.toString(), 'again');
    assert.equal(budget.held, 5);
    kept.drop();
  });
