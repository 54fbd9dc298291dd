// The chunked coding, fed whole, byte by byte, and in two parts at every place: the way it was cut must never show.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChunkedReader, chunkHead } from '../../../src/http/chunked.ts';

const LIMITS = { maxTrailerBytes: 256, maxFields: 8 };

type Outcome = {
  readonly body: string;
  readonly done: boolean;
  readonly broken: boolean;
  readonly trailers: string[] | undefined;
  /** Bytes that were taken, in all feeds. */
  readonly used: number;
};

/** Feeds the parts one after the other until the body is complete or broken. */
function read(parts: readonly Buffer[], limits = LIMITS): Outcome {
  const reader = new ChunkedReader(limits);
  const body: Buffer[] = [];
  const sink = { chunk: (data: Buffer) => void body.push(Buffer.from(data)) };
  let used = 0;
  let broken = false;
  for (const part of parts) {
    const end = reader.feed(part, 0, sink);
    broken = end < 0;
    if (broken) break;
    used += end;
    if (reader.done) break;
    assert.equal(end, part.length, 'all is taken while the body is not complete');
  }
  assert.ok(
    body.every((piece) => piece.length > 0),
    'no empty piece is given',
  );
  const text = Buffer.concat(body).toString('latin1');
  return { body: text, done: reader.done, broken, trailers: reader.trailers, used };
}

const whole = (text: string): Buffer[] => [Buffer.from(text, 'latin1')];
const single = (text: string): Buffer[] => [...Buffer.from(text, 'latin1')].map((byte) => Buffer.of(byte));

/** The one outcome of a text, however it is cut; how much of a broken body was taken is nobody's business. */
function readEveryWay(text: string): Outcome {
  const outcome = comparable(read(whole(text)));
  assert.deepEqual(comparable(read(single(text))), outcome, 'byte by byte');
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at <= bytes.length; at++) {
    const parts = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(comparable(read(parts)), outcome, `split at ${at}`);
  }
  return outcome;
}

function comparable(outcome: Outcome): Outcome {
  return outcome.broken ? { ...outcome, used: 0 } : outcome;
}

describe('a complete body', () => {
  const rows: readonly (readonly [text: string, body: string, trailers?: string[]])[] = [
    ['0\r\n\r\n', ''],
    ['000\r\n\r\n', ''],
    ['5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['1\r\na\r\n1\r\nb\r\n0\r\n\r\n', 'ab'],
    ['a\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
    ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
    ['00000000000A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
    ['1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n', 'abcdefghijklmnopqrstuvwxyz'],
    ['4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
    ['5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'],
    ['3\r\n\0\xff\n\r\n0\r\n\r\n', '\0\xff\n'],
    ['1;a\r\nx\r\n0\r\n\r\n', 'x'],
    ['1;a=b;c="d e"\r\nx\r\n0;last\r\n\r\n', 'x'],
    ['1;\ta\r\nx\r\n0;\r\n\r\n', 'x'],
    ['1;\xe9\r\nx\r\n0\r\n\r\n', 'x'],
    ['0\r\nX-A: 1\r\n\r\n', '', ['X-A', '1']],
    ['1\r\nx\r\n0\r\nX-A: 1\r\nx-a:\t2 \r\nB:\r\n\r\n', 'x', ['X-A', '1', 'x-a', '2', 'B', '']],
  ];
  for (const [text, body, trailers] of rows) {
    test(`${JSON.stringify(text)} gives ${JSON.stringify(body)}, however it is cut`, () => {
      const expected = { body, done: true, broken: false, trailers, used: text.length };
      assert.deepEqual(readEveryWay(text), expected);
    });
  }

  test('ends where it ends: the bytes behind it are not taken', () => {
    for (const [text, body, trailers] of rows) {
      for (const surplus of ['G', '\r\n', '\r\n\r\n', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'x'.repeat(600)]) {
        const outcome = readEveryWay(text + surplus);
        assert.deepEqual(outcome, { body, done: true, broken: false, trailers, used: text.length }, text + surplus);
      }
    }
  });

  test('takes nothing more once it is complete', () => {
    const reader = new ChunkedReader(LIMITS);
    const sink = { chunk: () => assert.fail('no body') };
    assert.equal(reader.feed(Buffer.from('0\r\n\r\n'), 0, sink), 5);
    assert.equal(reader.feed(Buffer.from('1\r\nx\r\n'), 0, sink), 0);
    assert.equal(reader.done, true);
  });

  test('is read from where the caller says', () => {
    const reader = new ChunkedReader(LIMITS);
    const given: string[] = [];
    const bytes = Buffer.from('HEAD1\r\nx\r\n0\r\nA: b\r\n\r\nREST');
    assert.equal(reader.feed(bytes, 4, { chunk: (data) => void given.push(data.toString()) }), bytes.length - 4);
    assert.deepEqual([given, reader.trailers], [['x'], ['A', 'b']]);
  });

  test('gives slices of what was fed, without copies', () => {
    const bytes = Buffer.from('5\r\nhello\r\n0\r\n\r\n');
    const given: Buffer[] = [];
    new ChunkedReader(LIMITS).feed(bytes, 0, { chunk: (data) => void given.push(data) });
    assert.equal(given[0]?.buffer, bytes.buffer);
    assert.equal(given[0]?.byteOffset, bytes.byteOffset + 3);
  });
});

describe('an unfinished body', () => {
  test('is neither complete nor broken, wherever it stops', () => {
    const text = '5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n';
    for (let end = 0; end < text.length; end++) {
      const { done, broken, used, trailers } = readEveryWay(text.slice(0, end));
      assert.deepEqual([done, broken, used, trailers], [false, false, end, undefined], `${end}`);
    }
  });
});

describe('a broken body', () => {
  const rows: readonly (readonly [what: string, text: string])[] = [
    ['no size', '\r\n'],
    ['an extension without a size', ';a\r\nx\r\n'],
    ['a size with a sign', '+1\r\nx\r\n0\r\n\r\n'],
    ['a negative size', '-1\r\nx\r\n0\r\n\r\n'],
    ['a size with 0x', '0x1\r\nx\r\n0\r\n\r\n'],
    ['a space before the size', ' 1\r\nx\r\n0\r\n\r\n'],
    ['a space behind the size', '1 \r\nx\r\n0\r\n\r\n'],
    ['a tab behind the size', '1\t\r\nx\r\n0\r\n\r\n'],
    ['a space before the extension', '1 ;a\r\nx\r\n0\r\n\r\n'],
    ['an underscore in the size', '1_0\r\n'],
    ['a letter beyond f', '1g\r\n'],
    ['a comma', '1,1\r\n'],
    ['a point', '1.0\r\n'],
    ['a NUL in the size', '1\0\r\n'],
    ['a Unicode digit', '\xb2\r\n'],
    ['LF alone behind the size', '1\nx\r\n0\r\n\r\n'],
    ['CR without LF behind the size', '1\rx\r\n0\r\n\r\n'],
    ['two CR behind the size', '1\r\r\nx\r\n'],
    ['LF alone behind the last size', '0\n\r\n'],
    ['LF alone in an extension', '1;a\nx\r\n0\r\n\r\n'],
    ['LF and then CRLF in an extension', '1;a\n\r\nx\r\n'],
    ['CR alone in an extension', '1;a\rb\r\nx\r\n'],
    ['NUL in an extension', '1;\0\r\nx\r\n'],
    ['DEL in an extension', '1;\x7f\r\nx\r\n'],
    ['LF alone behind the data', '1\r\nx\n0\r\n\r\n'],
    ['nothing behind the data', '1\r\nx0\r\n\r\n'],
    ['more data than the size says', '1\r\nxx\r\n0\r\n\r\n'],
    ['CR alone behind the data', '1\r\nx\r0\r\n\r\n'],
    ['LF before CR behind the data', '1\r\nx\n\r0\r\n\r\n'],
    ['13 digits', '0000000000001\r\nx\r\n0\r\n\r\n'],
    ['17 digits, which wrap round in 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['a trailer without a colon', '0\r\nX-A\r\n\r\n'],
    ['a trailer with a space before its colon', '0\r\nX-A : 1\r\n\r\n'],
    ['a folded trailer', '0\r\nX-A: 1\r\n 2\r\n\r\n'],
    ['a trailer with a NUL', '0\r\nX-A: \0\r\n\r\n'],
    ['a trailer line that ends in LF alone', '0\r\nX-A: 1\nX-B: 2\r\n\r\n'],
    ['a trailer line that begins with LF', '0\r\n\nX-A: 1\r\n\r\n'],
    ['a request where the trailers are', '0\r\nGET / HTTP/1.1\r\n\r\n'],
    ['nine trailers where eight are allowed', `0\r\n${'A: b\r\n'.repeat(9)}\r\n`],
  ];
  for (const [what, text] of rows) {
    test(`${what} is refused, however it is cut`, () => {
      const { broken, done } = readEveryWay(text);
      assert.deepEqual({ broken, done }, { broken: true, done: false });
    });
  }

  test('every byte but a hexadecimal digit is refused at the place of a size', () => {
    for (let code = 0; code < 256; code++) {
      const hex = /[0-9a-fA-F]/.test(String.fromCharCode(code));
      const text = String.fromCharCode(code);
      assert.equal(read(whole(text)).broken, !hex, `0x${code.toString(16)}`);
      // Behind a digit, a CR and a semicolon may follow as well.
      const follows = hex || text === '\r' || text === ';';
      assert.equal(read(whole(`1${text}`)).broken, !follows, `0x${code.toString(16)}`);
      assert.equal(read(whole(`1\r${text}`)).broken, text !== '\n', `0x${code.toString(16)}`);
      assert.equal(read(whole(`1\r\nx${text}`)).broken, text !== '\r', `0x${code.toString(16)}`);
      assert.equal(read(whole(`1\r\nx\r${text}`)).broken, text !== '\n', `0x${code.toString(16)}`);
    }
  });
});

describe('the limits', () => {
  test('a size of 12 digits is counted exactly', () => {
    const reader = new ChunkedReader(LIMITS);
    let given = 0;
    const sink = {
      chunk: (data: Buffer) => {
        given += data.length;
      },
    };
    assert.equal(reader.feed(Buffer.from('ffffffffffff\r\n'), 0, sink), 14);
    assert.equal(reader.feed(Buffer.alloc(1 << 20), 0, sink), 1 << 20);
    assert.deepEqual([given, reader.done], [1 << 20, false]);
  });

  test('4096 bytes of extensions are taken, in one chunk or over all of them, and one more is not', () => {
    const one = (count: number): string => `1;${'a'.repeat(count)}\r\nx\r\n0\r\n\r\n`;
    assert.equal(read(whole(one(4096))).done, true);
    assert.equal(read(whole(one(4097))).broken, true);
    const many = (count: number): string => `${'1;abcdefgh\r\nx\r\n'.repeat(count)}0\r\n\r\n`;
    assert.equal(read(whole(many(512))).done, true);
    assert.equal(read(whole(many(513))).broken, true);
  });

  test('an endless extension is refused before it has grown (CVE-2024-22019)', () => {
    const flood = [Buffer.from('1;'), ...Array.from({ length: 64 }, () => Buffer.alloc(1024, 'a'))];
    const { broken, used } = read(flood);
    assert.ok(broken && used <= 4096 + 2, `refused after ${used} bytes`);
  });

  test('trailers may be as long as the limit, and one byte more is refused', () => {
    // The limit holds for the fields, the empty line comes on top.
    const trailer = (length: number): string => `0\r\nA: ${'b'.repeat(length - 'A: '.length)}\r\n\r\n`;
    for (const cut of [whole, single]) {
      assert.equal(read(cut(trailer(256))).done, true);
      assert.equal(read(cut(trailer(257))).broken, true);
    }
  });

  test('endless trailers are refused before they have grown', () => {
    const flood = [Buffer.from('0\r\n'), ...Array.from({ length: 64 }, () => Buffer.from('A: bcdefg\r\n'))];
    const { broken, used } = read(flood);
    assert.ok(broken && used <= 300, `refused after ${used} bytes`);
  });

  test('what stands behind trailers in one piece does not count as trailers', () => {
    const { done, used } = read(whole(`0\r\nA: b\r\n\r\n${'x'.repeat(100_000)}`));
    assert.deepEqual([done, used], [true, 11]);
  });
});

describe('the line before a chunk', () => {
  for (const [size, line] of [
    [1, '1\r\n'],
    [10, 'a\r\n'],
    [255, 'ff\r\n'],
    [65536, '10000\r\n'],
  ] as const) {
    test(`of ${size} bytes is ${JSON.stringify(line)}`, () => assert.equal(chunkHead(size), line));
  }
});

describe('bodies by chance', () => {
  /** mulberry32: small, and the same everywhere. */
  function random(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }
  type Chance = (below: number) => number;

  function encode(body: Buffer, chance: Chance): { text: string; trailers: string[] | undefined } {
    let text = '';
    for (let at = 0; at < body.length; ) {
      const size = Math.min(body.length - at, 1 + chance(40));
      const digits = size.toString(16).padStart(1 + chance(4), '0');
      const extension = chance(4) === 0 ? `;${'e'.repeat(chance(9))}` : '';
      text += `${chance(2) === 0 ? digits.toUpperCase() : digits}${extension}\r\n`;
      text += `${body.toString('latin1', at, at + size)}\r\n`;
      at += size;
    }
    const trailers: string[] = [];
    for (let left = chance(4); left > 0; left--) trailers.push(`T${chance(9)}`, `v${chance(1000)}`);
    let fields = '';
    for (let i = 0; i < trailers.length; i += 2) fields += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
    return { text: `${text}0\r\n${fields}\r\n`, trailers: trailers.length > 0 ? trailers : undefined };
  }

  function cut(bytes: Buffer, chance: Chance): Buffer[] {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + chance(24));
      parts.push(bytes.subarray(at, end));
      at = end;
    }
    return parts;
  }

  test('what was encoded is what is read, in any pieces, with anything behind it', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const next = random(seed);
      const chance: Chance = (below) => Math.floor(next() * below);
      const body = Buffer.from(Array.from({ length: chance(300) }, () => chance(256)));
      const { text, trailers } = encode(body, chance);
      const surplus = 'S'.repeat(chance(30));
      const outcome = read(cut(Buffer.from(text + surplus, 'latin1'), chance));
      const expected = { body: body.toString('latin1'), done: true, broken: false, trailers, used: text.length };
      assert.deepEqual(outcome, expected, `seed ${seed}`);
    }
  });

  test('one changed byte never depends on how the body is cut', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed);
      const chance: Chance = (below) => Math.floor(next() * below);
      const body = Buffer.from(Array.from({ length: chance(60) }, () => chance(256)));
      const bytes = Buffer.from(encode(body, chance).text, 'latin1');
      bytes[chance(bytes.length)] = [0x0a, 0x0d, 0x20, 0x00, 0x30, 0x3b, 0x3a, chance(256)][chance(8)] as number;
      const outcome = read([bytes]);
      for (let round = 0; round < 4; round++) {
        const again = read(cut(bytes, chance));
        assert.deepEqual(comparable(again), comparable(outcome), `seed ${seed}`);
      }
    }
  });
});
