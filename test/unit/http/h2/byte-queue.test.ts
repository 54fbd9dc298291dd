// Bytes that wait: what comes out is what went in, in order, and never memory that was not written.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteQueue } from '../../../../src/http/h2/byte-queue.ts';
import { Budget } from '../../../../src/net/budget.ts';

const budget = new Budget({ bytes: 1 << 30, percent: 50 });

function drain(queue: ByteQueue, most: number): string {
  let text = '';
  for (let piece = queue.take(most); piece !== undefined; piece = queue.take(most)) {
    text += piece.toString('latin1');
    queue.used();
  }
  return text;
}

describe('a queue of bytes', () => {
  test('gives what was appended, in pieces of any size', () => {
    for (const most of [1, 3, 100, 1000, 1 << 20]) {
      const queue = new ByteQueue(budget.open('a'));
      let text = '';
      for (let i = 0; i < 300; i++) {
        const piece = String.fromCharCode(97 + (i % 26)).repeat((i * 7) % 90);
        text += piece;
        queue.append(Buffer.from(piece));
      }
      assert.equal(queue.length, text.length);
      assert.equal(budget.held, text.length);
      assert.equal(drain(queue, most), text);
      assert.equal(queue.length, 0);
      assert.equal(budget.held, 0);
    }
  });

  test('gives nothing for a window that is shut, or below 0', () => {
    const queue = new ByteQueue(budget.open('a'));
    queue.append(Buffer.from('abc'));
    for (const most of [0, -1, -16_384, Number.NEGATIVE_INFINITY]) assert.equal(queue.take(most), undefined);
    assert.equal(queue.length, 3);
    assert.equal(drain(queue, 2), 'abc');
  });
});
