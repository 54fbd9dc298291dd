// Random sequences of frames out of a seed, valid, mutated and senseless, for either end of HTTP/2: what both ends may send, and
// what both must keep to in return. RANDOM_SEQUENCES=50000 for more than the default.

import assert from 'node:assert/strict';
import {
  data,
  type Frame,
  frame,
  goaway,
  indexed,
  literal,
  ping,
  rstStream,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  windowUpdate,
} from './h2-frames.ts';

export const SEQUENCES = Number(process.env.RANDOM_SEQUENCES ?? 1500);

/** The next number, from 0 to below `below`. */
export type Next = (below: number) => number;
/** A frame, or some, mostly of stream `id`. */
export type Make = (next: Next, id: number) => Buffer;

export function random(seed: number): Next {
  let state = seed | 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), state | 1);
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
    return ((state ^ (state >>> 14)) >>> 0) % below;
  };
}

export function one(next: Next, list: readonly Make[]): Make {
  return list[next(list.length)] as Make;
}

/** What is ordinary, whoever sends it. */
export const ORDINARY: readonly Make[] = [
  (next, id) => data(id, Buffer.alloc(next(3000)), next(4) === 0),
  (next, id) => data(id, Buffer.alloc(16_384 - next(3)), next(8) === 0),
  (next, id) => windowUpdate(next(3) === 0 ? 0 : id, next(20) === 0 ? 0x7fffffff : next(100_000)),
];

/** What is not; `block` is a field list. */
export function odd(block: Buffer): Make[] {
  return [
    (next, id) => frame(Type.data, 8 | next(2), id, Buffer.concat([Buffer.from([next(40)]), Buffer.alloc(next(60))])),
    (next, id) => rstStream(id, next(14)),
    (next) => settings([[next(9), next(3) === 0 ? 0x7fffffff : next(70_000)]]),
    (next) => settings([[Setting.initialWindowSize, next(100_000)]]),
    () => SETTINGS_ACK,
    (next) => ping('12345678'.slice(0, next(15) === 0 ? 7 : 8)),
    (next, id) => frame(Type.headers, next(64), id, block),
    (next, id) =>
      Buffer.concat([
        frame(Type.headers, 1, id, block),
        frame(Type.continuation, 4 * next(2), id, literal('x-a', 'b', 'indexed')),
      ]),
    (next, id) => frame(Type.headers, 5, id, Buffer.concat([block, indexed(62 + next(3))])),
    (next, id) => frame(Type.headers, 5, id, Buffer.concat([block, literal('x-a', 'b'.repeat(next(6000)), 'indexed')])),
    (next) => goaway(next(10), next(3)),
    (next, id) => frame(next(20), next(256), next(3) === 0 ? 0 : id, Buffer.alloc(next(30), next(256))),
  ];
}

/** As one; of some of them a few bytes are others. */
export function joined(next: Next, frames: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(frames);
  for (let count = next(4) === 0 ? next(6) : 0; count > 0; count--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

export function* inPieces(next: Next, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const to = next(3) === 0 ? bytes.length : at + 1 + next(9000);
    yield bytes.subarray(at, to);
    at = to;
  }
}

/** Our own frames on one connection: none is too large, and nothing follows the end of a stream. */
export function assertInOrder(frames: readonly Frame[], seed: number): void {
  const over = new Set<number>();
  for (const { type, flags, stream, payload } of frames) {
    assert.ok(payload.length <= 16_384, `seed ${seed}`);
    if (type !== Type.data && type !== Type.headers) continue;
    assert.ok(!over.has(stream), `seed ${seed}: nothing behind the end of stream ${stream}`);
    if (flags & 1) over.add(stream);
  }
}
