// Random sequences of frames, of valid, mutated and senseless ones, against a connection of the listening side, with an app
// that pauses, answers and breaks off at random. Whatever comes: no throw, every exchange finishes once, nothing is held
// after the end, windows are respected, and the connection ends when it was told to. RANDOM_SEQUENCES=50000 for more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../../src/exchange.ts';
import { fieldsOf } from '../support/h2-client.ts';
import {
  data,
  frame,
  goaway,
  headerBlock,
  headers,
  indexed,
  literal,
  ping,
  rstStream,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  uint32,
  windowUpdate,
} from '../support/h2-frames.ts';
import { H2Stage, HeldCarrier, turns } from '../support/h2-stage.ts';

const SEQUENCES = Number(process.env.RANDOM_SEQUENCES ?? 1500);
const MAX_GROWTH = 64 << 20;

type Next = (below: number) => number;

function random(seed: number): Next {
  let state = seed | 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), state | 1);
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
    return ((state ^ (state >>> 14)) >>> 0) % below;
  };
}

const get = fieldsOf();
const post = fieldsOf({ ':method': 'POST' });
const BLOCK = headerBlock(get);

const MAKE: readonly ((next: Next, id: number) => Buffer)[] = [
  (_, id) => headers(id, get),
  (_, id) => headers(id, post, false),
  (_, id) => headers(id, [['x-trailer', '1']]),
  (next, id) => data(id, Buffer.alloc(next(3000)), next(4) === 0),
  (next, id) => data(id, Buffer.alloc(16_384 - next(3)), next(8) === 0),
  (next, id) => frame(Type.data, 8 | next(2), id, Buffer.concat([Buffer.from([next(40)]), Buffer.alloc(next(60))])),
  (next, id) => rstStream(id, next(14)),
  (next, id) => windowUpdate(next(3) === 0 ? 0 : id, next(20) === 0 ? 0x7fffffff : next(100_000)),
  (next) => settings([[next(9), next(3) === 0 ? 0x7fffffff : next(70_000)]]),
  (next) => settings([[Setting.initialWindowSize, next(100_000)]]),
  () => SETTINGS_ACK,
  (next) => ping('12345678'.slice(0, next(15) === 0 ? 7 : 8)),
  (next, id) => frame(Type.priority, 0, id, Buffer.concat([uint32(next(9)), Buffer.from([16])])),
  (next, id) => frame(0x10, 0, 0, Buffer.concat([uint32(id), Buffer.from(`u=${next(9)}`)])),
  (next, id) => frame(Type.headers, next(64), id, BLOCK),
  (next, id) =>
    Buffer.concat([
      frame(Type.headers, 1, id, BLOCK),
      frame(Type.continuation, 4 * next(2), id, literal('x-a', 'b', 'indexed')),
    ]),
  (next, id) => frame(Type.headers, 5, id, Buffer.concat([BLOCK, indexed(62 + next(3))])),
  (next, id) => frame(Type.headers, 5, id, Buffer.concat([BLOCK, literal('x-a', 'b'.repeat(next(3000)), 'indexed')])),
  (next) => goaway(next(10), next(3)),
  (next, id) => frame(next(20), next(256), next(3) === 0 ? 0 : id, Buffer.alloc(next(30), next(256))),
];

function randomFrames(next: Next): Buffer {
  const frames: Buffer[] = [];
  let last = 1;
  for (let count = 1 + next(30); count > 0; count--) {
    if (next(2) === 0) last += 2;
    const id = next(12) === 0 ? next(40) : Math.max(1, last - 2 * next(4));
    frames.push((MAKE[next(3) === 0 ? next(MAKE.length) : next(8)] as (typeof MAKE)[number])(next, id));
  }
  const bytes = Buffer.concat(frames);
  for (let count = next(4) === 0 ? next(6) : 0; count > 0; count--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

function behave(next: Next, exchange: Exchange): void {
  const carrier = new HeldCarrier();
  if (next(4) > 0) exchange.carry(carrier);
  if (next(3) === 0) exchange.pauseBody();
  if (next(2) === 0) return;
  exchange.answer(200, 'OK', ['X-A', 'b'.repeat(next(40))], -1);
  for (let count = next(4); count > 0; count--) exchange.write(Buffer.alloc(next(40_000)), () => {});
  exchange.flush();
  if (next(8) === 0) exchange.cut();
  else if (next(2) === 0) exchange.end(next(3) === 0 ? ['x-sum', '1'] : undefined);
}

async function play(seed: number): Promise<void> {
  const next = random(seed);
  const stage = await new H2Stage().begin([[Setting.initialWindowSize, next(3) === 0 ? 10 : 65_535]]);
  stage.onRequest = (exchange) => behave(next, exchange);
  const bytes = randomFrames(next);
  for (let at = 0; at < bytes.length; ) {
    const to = next(3) === 0 ? bytes.length : at + 1 + next(9000);
    stage.socket.push(bytes.subarray(at, to));
    at = to;
    if (next(2) === 0) await turns(1);
    if (next(4) === 0) for (const exchange of stage.exchanges) if (next(2) === 0) exchange.resumeBody();
  }
  await turns(2);
  assertInOrder(stage, seed);
  stage.connection.retire();
  for (let round = 0; round < 8 && !stage.socket.destroyed; round++) await stage.pass(31_000);
  const { finished, exchanges } = stage;
  assert.ok(stage.socket.destroyed, `seed ${seed}: the connection has ended`);
  assert.equal(new Set(finished).size, finished.length, `seed ${seed}: each finished once`);
  for (const exchange of exchanges) assert.ok(exchange.finished, `seed ${seed}: all are finished`);
  assert.deepEqual(stage.crashes, [], `seed ${seed}`);
  assert.equal(stage.connection.heldBytes, 0, `seed ${seed}: nothing is held`);
}

/** Our own frames keep the rules, too. */
function assertInOrder({ socket }: H2Stage, seed: number): void {
  const over = new Set<number>();
  for (const { type, flags, stream, payload } of socket.frames) {
    assert.ok(payload.length <= 16_384, `seed ${seed}`);
    if (type !== Type.data && type !== Type.headers) continue;
    assert.ok(!over.has(stream), `seed ${seed}: nothing behind the end of stream ${stream}`);
    if (flags & 1) over.add(stream);
  }
}

test(`${SEQUENCES} random sequences of frames`, { timeout: 3_600_000 }, async () => {
  for (let seed = 0; seed < 200; seed++) await play(seed);
  const rssBefore = process.memoryUsage.rss();
  for (let seed = 200; seed < SEQUENCES; seed++) await play(seed);
  const growth = process.memoryUsage.rss() - rssBefore;
  assert.ok(growth < MAX_GROWTH, `${growth >> 20} MiB`);
});
