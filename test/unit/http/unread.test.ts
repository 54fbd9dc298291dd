// Bytes that wait to be used: kept as they came where one read brought them, gathered where they came in pieces, and searched once.
import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { NoHead, UnreadBytes } from '../../../src/http/unread.ts';

const MAX = 64;

function unreadOf(...parts: readonly string[]): UnreadBytes {
  const unread = new UnreadBytes();
  for (const part of parts) unread.push(Buffer.from(part, 'latin1'));
  return unread;
}

/** What is said of the head as its bytes come one by one: the first word that is not to wait. */
function byteByByte(text: string, start = 0): number {
  const unread = new UnreadBytes();
  let said: number = NoHead.incomplete;
  for (const byte of Buffer.from(text, 'latin1')) {
    unread.push(Buffer.of(byte));
    said = unread.headEnd(MAX, start);
    if (said !== NoHead.incomplete) break;
  }
  return said;
}

describe('what is unread', () => {
  test('is nothing at first, and after clear()', () => {
    const unread = unreadOf();
    assert.deepEqual([unread.bytes, unread.length], [undefined, 0]);
    unread.push(Buffer.from('x'));
    unread.clear();
    assert.deepEqual([unread.bytes, unread.length], [undefined, 0]);
  });

  test('is the very memory that one read brought, also after a part was used', () => {
    const bytes = Buffer.from('head and body');
    const unread = new UnreadBytes();
    unread.push(bytes);
    unread.skip(5);
    assert.equal(unread.bytes?.toString(), 'and body');
    assert.equal(unread.bytes?.buffer, bytes.buffer);
    unread.skip(8);
    assert.equal(unread.bytes, undefined);
  });

  test('is joined in order, whatever was used in between', () => {
    const unread = unreadOf('abc', 'def');
    unread.skip(2);
    unread.push(Buffer.from('g'.repeat(2000)));
    unread.skip(4);
    unread.push(Buffer.from('h'));
    assert.equal(unread.bytes?.toString(), `${'g'.repeat(2000)}h`);
    unread.skip(2001);
    unread.push(Buffer.from('i'));
    assert.equal(unread.bytes?.toString(), 'i');
  });

  test('does not change where it was handed out, though more comes', () => {
    const unread = unreadOf('a', 'b');
    const given = unread.bytes?.subarray(0, 1);
    unread.skip(1);
    for (let i = 0; i < 3000; i++) unread.push(Buffer.from('c'));
    assert.equal(given?.toString(), 'a');
    assert.equal(unread.bytes?.toString(), `b${'c'.repeat(3000)}`);
  });

  test('is safe from its buffer once it is owned, and what was gathered is not copied again', () => {
    const shared = Buffer.from('part of a head');
    const unread = new UnreadBytes();
    unread.push(shared);
    unread.own();
    shared.fill('x');
    assert.equal(unread.bytes?.toString(), 'part of a head');
    unread.push(Buffer.from('!'));
    const { bytes } = unread;
    unread.own();
    assert.equal(unread.bytes, bytes);
    assert.equal(bytes?.toString(), 'part of a head!');
  });
});

describe('the end of a head', () => {
  test('is found wherever the bytes were cut', () => {
    const text = 'GET / HTTP/1.1\r\nA: b\r\n\r\nnext';
    for (let at = 0; at <= text.length; at++) {
      const unread = unreadOf(text.slice(0, at));
      unread.headEnd(MAX);
      unread.push(Buffer.from(text.slice(at)));
      assert.equal(unread.headEnd(MAX), 20, `cut at ${at}`);
    }
    assert.equal(byteByByte(text), 20);
  });

  test('is not the empty line in front of it', () => {
    assert.equal(unreadOf('\r\n\r\n\r\n').headEnd(MAX, 2), 2);
    assert.equal(byteByByte('\r\nA\r\n\r\n', 2), 3);
  });

  test('is searched anew for the next head', () => {
    const unread = unreadOf('A\r\n\r\n', 'B\r\n\r\n');
    assert.equal(unread.headEnd(MAX), 1);
    unread.skip(5);
    assert.equal(unread.headEnd(MAX), 1);
  });

  test('must come within the limit, and one byte more is refused, however it is cut', () => {
    const head = (length: number): string => `${'a'.repeat(length)}\r\n\r\n`;
    for (const start of [0, 2]) {
      const lead = '\r\n'.slice(0, start);
      for (const said of [unreadOf(lead + head(MAX)).headEnd(MAX, start), byteByByte(lead + head(MAX), start)])
        assert.equal(said, MAX + start);
      for (const said of [unreadOf(lead + head(MAX + 1)).headEnd(MAX, start), byteByByte(lead + head(MAX + 1), start)])
        assert.equal(said, NoHead.tooLarge);
    }
    assert.equal(unreadOf('a'.repeat(MAX + 4)).headEnd(MAX), NoHead.incomplete);
    assert.equal(unreadOf('a'.repeat(MAX + 5)).headEnd(MAX), NoHead.tooLarge);
  });

  test('is not waited for behind a line feed alone', () => {
    for (const text of ['\n', 'a\n', 'a\r\nb\n', '\r\r\n\n']) {
      assert.equal(unreadOf(text).headEnd(MAX), NoHead.bareLineFeed, JSON.stringify(text));
      assert.equal(byteByByte(text), NoHead.bareLineFeed, JSON.stringify(text));
    }
    assert.equal(byteByByte('a\r\nb\r\n'), NoHead.incomplete);
  });
});

test('a head of one-byte pieces is copied and searched in proportion to its length', (t) => {
  const length = 20_000;
  let touched = 0;
  const { indexOf, copy } = Buffer.prototype;
  mock.method(Buffer.prototype, 'indexOf', function (this: Buffer, what: Buffer | number, from = 0) {
    touched += this.length - from;
    return indexOf.call(this, what, from);
  });
  mock.method(Buffer.prototype, 'copy', function (this: Buffer, to: Buffer, at = 0) {
    touched += this.length;
    return copy.call(this, to, at);
  });
  t.after(() => mock.restoreAll());
  const unread = new UnreadBytes();
  const byte = Buffer.from('a');
  for (let i = 0; i < length; i++) {
    unread.push(byte);
    assert.equal(unread.headEnd(length), NoHead.incomplete);
  }
  assert.ok(touched > length && touched < 20 * length, `${touched} bytes for ${length}`);
});
