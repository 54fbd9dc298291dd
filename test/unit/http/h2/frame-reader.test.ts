// Frames out of bytes in any pieces: what is given on, and what it costs to wait for the rest of one.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { FrameReader, type FrameSink } from '../../../../src/http/h2/frame-reader.ts';
import { data, Flag, frame, headers, PREFACE, ping, Type } from '../../../support/h2-frames.ts';

type Given = { type: number; id: number; payload: string };

/** Keeps what it is given, as text. */
class Frames implements FrameSink {
  readonly given: Given[] = [];
  problem = '';
  #data: Given = { type: Type.data, id: 0, payload: '' };

  frame(type: number, _flags: number, id: number, bytes: Buffer, from: number, to: number): boolean {
    this.given.push({ type, id, payload: bytes.toString('latin1', from, to) });
    return true;
  }

  dataBegins(id: number): boolean {
    this.#data = { type: Type.data, id, payload: '' };
    return true;
  }

  dataComes(bytes: Buffer): boolean {
    this.#data.payload += bytes.toString('latin1');
    return true;
  }

  dataEnds(): boolean {
    this.given.push(this.#data);
    return true;
  }

  unreadable(_code: number, words: string): void {
    this.problem = words;
  }
}

const padded = frame(Type.data, Flag.padded, 3, Buffer.concat([Buffer.of(5), Buffer.from('body'), Buffer.alloc(5)]));
const ALL = Buffer.concat([
  PREFACE,
  frame(Type.settings, 0, 0),
  headers(1, [['x-long', 'x'.repeat(3000)]], false),
  data(1, 'y'.repeat(2000)),
  ping(),
  data(1, ''),
  padded,
  ping('87654321'),
]);

function read(pieces: Iterable<Buffer>): Frames {
  const sink = new Frames();
  const reader = new FrameReader(sink, true);
  for (const piece of pieces) reader.read(piece);
  assert.equal(reader.waiting, false);
  return sink;
}

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

test('the same frames come out of pieces of any size', () => {
  const whole = read([ALL]);
  assert.equal(whole.problem, '');
  assert.deepEqual(
    whole.given.map(({ type, payload }) => [type, payload.length]),
    [
      [Type.settings, 0],
      [Type.headers, 3011],
      [Type.data, 2000],
      [Type.ping, 8],
      [Type.data, 0],
      [Type.data, 4],
      [Type.ping, 8],
    ],
  );
  for (const size of [1, 2, 3, 7, 8, 9, 10, 17, 100, 1000, 3000, 5000])
    assert.deepEqual(read(cut(ALL, size)).given, whole.given, `pieces of ${size}`);
});

/** Bytes that are copied while `run` runs. */
function copied(t: { after(hook: () => void): void }, run: () => void): number {
  let bytes = 0;
  const { copy } = Buffer.prototype;
  const { concat } = Buffer;
  mock.method(Buffer.prototype, 'copy', function (this: Buffer, ...args: Parameters<typeof copy>) {
    const count = copy.apply(this, args);
    bytes += count;
    return count;
  });
  mock.method(Buffer, 'concat', (list: readonly Buffer[]) => {
    for (const { length } of list) bytes += length;
    return concat(list);
  });
  t.after(() => mock.restoreAll());
  run();
  return bytes;
}

for (const size of [1, 100, 16_384]) {
  test(`frames in pieces of ${size} are not copied from their start for each`, (t) => {
    const frames = Buffer.concat([
      PREFACE,
      ...Array.from({ length: 4 }, () => frame(0x42, 0, 0, Buffer.alloc(16_384))),
    ]);
    const pieces = [...cut(frames, size)];
    const bytes = copied(t, () => read(pieces));
    assert.ok(bytes < 5 * frames.length, `${bytes} bytes copied for ${frames.length}`);
  });
}

test('what waits holds on to no more than its own bytes', () => {
  const { allocUnsafe, allocUnsafeSlow } = Buffer;
  const sizes: number[] = [];
  mock.method(Buffer, 'allocUnsafe', (size: number) => {
    // Node takes small ones out of a pool of 8 KiB, which they keep alive.
    sizes.push(Math.max(size, Buffer.poolSize));
    return allocUnsafe(size);
  });
  mock.method(Buffer, 'allocUnsafeSlow', (size: number) => {
    sizes.push(size);
    return allocUnsafeSlow(size);
  });
  try {
    const reader = new FrameReader(new Frames(), false);
    const large = frame(0x42, 0, 0, Buffer.alloc(16_384));
    reader.read(large.subarray(0, 9000));
    reader.read(Buffer.concat([large.subarray(9000), ping().subarray(0, 5)]));
    assert.equal(reader.waiting, true);
    assert.equal(sizes.at(-1), 5);
  } finally {
    mock.restoreAll();
  }
});
