// An answer that is shared: made once for all who ask at once, kept for its time, never kept when it failed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createKept } from '../../../src/admin/kept.ts';

const KEEP_MS = 250;

describe('a kept answer', () => {
  test('is made once for all who ask while it is made, however long that takes', async () => {
    let made = 0;
    let nowMs = 0;
    const { promise, resolve } = withResolvers<string>();
    const ask = createKept(
      () => {
        made++;
        return promise;
      },
      KEEP_MS,
      () => nowMs,
    );
    const early = Array.from({ length: 20 }, () => ask());
    nowMs += 10 * KEEP_MS;
    const late = Array.from({ length: 20 }, () => ask());
    resolve('text');
    assert.deepEqual(new Set(await Promise.all([...early, ...late])), new Set(['text']));
    assert.equal(made, 1);
  });

  test('is kept for its time, counted from when it was made, and then made anew', async () => {
    let made = 0;
    let nowMs = 5000;
    const ask = createKept(
      async () => {
        nowMs += 100;
        return ++made;
      },
      KEEP_MS,
      () => nowMs,
    );
    assert.equal(await ask(), 1);
    nowMs += KEEP_MS - 1;
    assert.equal(await ask(), 1);
    nowMs += 1;
    assert.equal(await ask(), 2);
    assert.equal(await ask(), 2);
  });

  test('is at most four a second, whoever asks', async () => {
    let made = 0;
    let nowMs = 0;
    const ask = createKept(
      async () => ++made,
      KEEP_MS,
      () => nowMs,
    );
    for (; nowMs < 10_000; nowMs += 5) await ask();
    assert.equal(made, 40);
  });

  test('that failed fails for all who waited, and the next one asks again', async () => {
    let made = 0;
    const ask = createKept(
      async () => {
        made++;
        if (made === 1) throw new Error('not now');
        return 'text';
      },
      KEEP_MS,
      () => 0,
    );
    const [one, other] = await Promise.allSettled([ask(), ask()]);
    assert.deepEqual([one?.status, other?.status, made], ['rejected', 'rejected', 1]);
    assert.equal(await ask(), 'text');
  });
});

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
