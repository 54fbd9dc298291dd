// Random sequences of frames, of valid, mutated and senseless ones, against a connection of the listening side, with an app
// that pauses, answers and breaks off at random. Whatever comes: no throw, every exchange finishes once, nothing is held
// after the end, windows are respected, and the connection ends when it was told to. RANDOM_SEQUENCES=50000 for more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../../src/exchange.ts';
import { fieldsOf } from '../support/h2-client.ts';
import { frame, headerBlock, headers, Setting, Type, uint32 } from '../support/h2-frames.ts';
import { H2Stage, HeldCarrier, turns } from '../support/h2-stage.ts';
import {
  assertInOrder,
  inPieces,
  joined,
  type Make,
  type Next,
  ORDINARY,
  odd,
  one,
  random,
  SEQUENCES,
} from '../support/random-frames.ts';

/** Node 24's young generation grows by 50 MiB where no flag bounds it (support/growth.ts). */
const MAX_GROWTH = (Number.parseInt(process.versions.node, 10) < 22 ? 64 : 112) << 20;

const get = fieldsOf();
const post = fieldsOf({ ':method': 'POST' });

const USUAL: readonly Make[] = [
  (_, id) => headers(id, get),
  (_, id) => headers(id, post, false),
  (_, id) => headers(id, [['x-trailer', '1']]),
  ...ORDINARY,
];
const ALL: readonly Make[] = [
  ...USUAL,
  ...odd(headerBlock(get)),
  (next, id) => frame(Type.priority, 0, id, Buffer.concat([uint32(next(9)), Buffer.from([16])])),
  (next, id) => frame(0x10, 0, 0, Buffer.concat([uint32(id), Buffer.from(`u=${next(9)}`)])),
];

function randomFrames(next: Next): Buffer {
  const frames: Buffer[] = [];
  let last = 1;
  for (let count = 1 + next(30); count > 0; count--) {
    if (next(2) === 0) last += 2;
    const id = next(12) === 0 ? next(40) : Math.max(1, last - 2 * next(4));
    frames.push(one(next, next(3) === 0 ? ALL : USUAL)(next, id));
  }
  return joined(next, frames);
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
  for (const bytes of inPieces(next, randomFrames(next))) {
    stage.socket.push(bytes);
    if (next(2) === 0) await turns(1);
    if (next(4) === 0) for (const exchange of stage.exchanges) if (next(2) === 0) exchange.resumeBody();
  }
  await turns(2);
  assertInOrder(stage.socket.frames, seed);
  stage.connection.retire();
  for (let round = 0; round < 8 && !stage.socket.destroyed; round++) await stage.pass(31_000);
  const { finished, exchanges } = stage;
  assert.ok(stage.socket.destroyed, `seed ${seed}: the connection has ended`);
  assert.equal(new Set(finished).size, finished.length, `seed ${seed}: each finished once`);
  for (const exchange of exchanges) assert.ok(exchange.finished, `seed ${seed}: all are finished`);
  assert.deepEqual(stage.crashes, [], `seed ${seed}`);
  assert.deepEqual([stage.budget.held, stage.budget.lent], [0, 0], `seed ${seed}: nothing is held`);
}

test(`${SEQUENCES} random sequences of frames`, { timeout: 3_600_000 }, async () => {
  for (let seed = 0; seed < 200; seed++) await play(seed);
  const rssBefore = process.memoryUsage.rss();
  for (let seed = 200; seed < SEQUENCES; seed++) await play(seed);
  const growth = process.memoryUsage.rss() - rssBefore;
  assert.ok(growth < MAX_GROWTH, `${growth >> 20} MiB`);
});
