// Where a body ends, and in how many pieces it is given.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BodyReader, type Framing } from '../../../src/http/body.ts';

const LIMITS = { maxTrailerBytes: 256, maxFields: 8 };

function readerOf(framing: Framing, length = 0) {
  const reader = new BodyReader(LIMITS);
  reader.begin(framing, length);
  const slices: Buffer[] = [];
  const feed = (bytes: Buffer | string): number =>
    reader.feed(Buffer.from(bytes as string), { chunk: (data) => void slices.push(data) });
  return { reader, slices, feed, text: () => Buffer.concat(slices).toString() };
}

describe('a body', () => {
  test('of a length ends there, and what follows is not taken', () => {
    const { reader, feed, text } = readerOf('length', 5);
    assert.equal(feed('abc'), 3);
    assert.equal(reader.done, false);
    assert.equal(feed('deGET'), 2);
    assert.deepEqual([reader.done, text()], [true, 'abcde']);
  });

  test('until the close never ends by itself', () => {
    const { reader, feed } = readerOf('until-close');
    assert.equal(feed('abc'), 3);
    assert.deepEqual([reader.done, reader.untilClose], [false, true]);
  });

  test('of another framing leaves no trailers behind', () => {
    const { reader, feed } = readerOf('chunked');
    feed('0\r\nA: b\r\n\r\n');
    assert.deepEqual([reader.done, reader.trailers], [true, ['A', 'b']]);
    reader.begin('length', 0);
    assert.deepEqual([reader.done, reader.trailers], [true, undefined]);
  });
});

describe('the chunks of one feed', () => {
  const chunk = (size: number, fill = 'x'): string => `${size.toString(16)}\r\n${fill.repeat(size)}\r\n`;

  test('that are small come as one slice', () => {
    const { slices, feed, text } = readerOf('chunked');
    feed(chunk(1, 'a').repeat(3) + chunk(40, 'b'));
    assert.deepEqual([slices.length, text()], [1, `aaa${'b'.repeat(40)}`]);
  });

  test('of one byte come as few slices, however many they are', () => {
    const { slices, feed, text } = readerOf('chunked');
    for (let i = 0; i < 8; i++) feed(chunk(1).repeat(10_000));
    assert.equal(text(), 'x'.repeat(80_000));
    assert.ok(slices.length <= 16, `${slices.length} slices`);
    for (const slice of slices) assert.ok(slice.buffer.byteLength <= 2 * Math.max(slice.length, 4096));
  });

  test('that are large are given as they are, in their place between small ones', () => {
    const { slices, feed, text } = readerOf('chunked');
    feed(chunk(2, 'a') + chunk(3, 'b') + chunk(5000, 'c') + chunk(1, 'd') + chunk(6000, 'e') + chunk(1, 'f'));
    assert.deepEqual(
      slices.map(({ length }) => length),
      [5, 5000, 1, 6000, 1],
    );
    assert.equal(text(), `aabbb${'c'.repeat(5000)}d${'e'.repeat(6000)}f`);
  });

  test('before a mistake are given, and never again', () => {
    const { slices, feed, text } = readerOf('chunked');
    assert.equal(feed(`${chunk(1)}${chunk(1)}zz\r\n`), -1);
    assert.deepEqual([slices.length, text()], [1, 'xx']);
  });

  test('are whole where the sink of one reader feeds another', () => {
    const inner = readerOf('chunked');
    const outer = new BodyReader(LIMITS);
    outer.begin('chunked', 0);
    const given: string[] = [];
    const both = chunk(1, 'a') + chunk(1, 'b') + chunk(5000, 'c') + chunk(1, 'd') + chunk(1, 'e');
    outer.feed(Buffer.from(both), {
      chunk(data) {
        inner.feed(chunk(1, 'y') + chunk(1, 'z'));
        given.push(data.toString());
      },
    });
    assert.deepEqual(given, ['ab', 'c'.repeat(5000), 'de']);
    assert.equal(inner.text(), 'yzyzyz');
  });

  test('are not mixed with those of the next', () => {
    const { slices, feed } = readerOf('chunked');
    const bytes = chunk(1, 'a') + chunk(1, 'b');
    feed(bytes);
    feed(chunk(1, 'c'));
    assert.deepEqual(
      slices.map((slice) => slice.toString()),
      ['ab', 'c'],
    );
  });
});
