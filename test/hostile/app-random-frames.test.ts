// Random sequences of frames that an app sends, of valid, mutated and senseless ones, against sessions to it, with clients
// that pause, send and leave at random. Whatever comes: no throw, every call ends once and says nothing behind its end, and
// every connection ends when it was told to. RANDOM_SEQUENCES=50000 for more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../src/exchange.ts';
import { AppStage, type Call } from '../support/app-session-stage.ts';
import {
  data,
  type Field,
  frame,
  goaway,
  headerBlock,
  headers,
  indexed,
  literal,
  ping,
  pushPromise,
  rstStream,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  windowUpdate,
} from '../support/h2-frames.ts';
import { turns } from '../support/h2-stage.ts';

const SEQUENCES = Number(process.env.RANDOM_SEQUENCES ?? 1500);

type Next = (below: number) => number;

function random(seed: number): Next {
  let state = seed | 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), state | 1);
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
    return ((state ^ (state >>> 14)) >>> 0) % below;
  };
}

const OK: Field[] = [[':status', '200']];
const BLOCK = headerBlock([...OK, ['x-a', 'b']]);

const MAKE: readonly ((next: Next, id: number) => Buffer)[] = [
  (next, id) => headers(id, OK, next(4) === 0),
  (next, id) => data(id, Buffer.alloc(next(100))),
  (next, id) => data(id, Buffer.alloc(next(3000)), next(4) === 0),
  (next, id) => data(id, Buffer.alloc(16_384 - next(3)), next(8) === 0),
  (_, id) => data(id, 'the last', true),
  (_, id) => headers(id, [['grpc-status', '0']]),
  (_, id) => headers(id, [[':status', '103']], false),
  (next, id) => windowUpdate(next(3) === 0 ? 0 : id, next(20) === 0 ? 0x7fffffff : next(100_000)),
  (next, id) => rstStream(id, next(14)),
  (next, id) => headers(id, [...OK, ['content-length', String(next(3000))]], false),
  (next, id) => frame(Type.data, 8 | next(2), id, Buffer.concat([Buffer.from([next(40)]), Buffer.alloc(next(60))])),
  (next) => settings([[next(9), next(3) === 0 ? 0x7fffffff : next(70_000)]]),
  (next) => settings([[Setting.maxConcurrentStreams, next(4)]]),
  (next) => settings([[Setting.initialWindowSize, next(100_000)]]),
  () => SETTINGS_ACK,
  () => ping(),
  (_, id) => pushPromise(id),
  (next, id) => frame(Type.headers, next(64), id, BLOCK),
  (next, id) => Buffer.concat([frame(Type.headers, 1, id, BLOCK), frame(Type.continuation, 4 * next(2), id, BLOCK)]),
  (next, id) => frame(Type.headers, 5, id, Buffer.concat([BLOCK, indexed(62 + next(3))])),
  (next, id) => frame(Type.headers, 5, id, Buffer.concat([BLOCK, literal('x-b', 'b'.repeat(next(6000)), 'indexed')])),
  (next) => goaway(next(10), next(3)),
  (next, id) => frame(next(20), next(256), next(3) === 0 ? 0 : id, Buffer.alloc(next(30), next(256))),
];

/** On the streams of that many calls, mostly, and mostly with heads before the rest. */
function randomFrames(next: Next, calls: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < calls; at++) if (next(3) > 0) frames.push(headers(1 + 2 * at, OK, false));
  for (let count = 1 + next(20); count > 0; count--) {
    const id = next(60) === 0 ? next(40) : 1 + 2 * next(calls);
    frames.push((MAKE[next(12) === 0 ? next(MAKE.length) : next(8)] as (typeof MAKE)[number])(next, id));
  }
  const bytes = Buffer.concat(frames);
  for (let count = next(5) === 0 ? next(6) : 0; count > 0; count--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

/** What a client does to its call. */
function behave(next: Next, { transport }: Call): void {
  if (transport === undefined) return;
  switch (next(7)) {
    case 0:
      return transport.pauseAnswer();
    case 1:
      return transport.resumeAnswer();
    case 2:
      return void transport.sendBody(Buffer.alloc(next(90_000)));
    case 3:
      return transport.sendEnd(next(2) === 0 ? undefined : ['x-sum', '1']);
    case 4:
      return next(3) === 0 ? transport.abandon() : undefined;
    default:
  }
}

const ENDS = /^(?:end|failed .*|denied .*)$/;

async function play(seed: number): Promise<void> {
  const next = random(seed);
  const stage = new AppStage();
  const calls: Call[] = [];
  const begin = (): void => {
    const body = next(2) === 0;
    calls.push(stage.call({ method: body ? 'POST' : 'GET', bodyLength: body ? UNKNOWN_LENGTH : 0 }));
  };
  for (let count = 1 + next(5); count > 0; count--) begin();
  for (let round = 0; round < 3; round++) {
    stage.app.push(settings([[Setting.initialWindowSize, next(3) === 0 ? 10 : 65_535]]));
    await say(next, stage, calls);
    if (next(3) === 0) begin();
  }
  await turns(2);
  assertInOrder(stage, seed);
  leave(next, calls);
  stage.pool.close();
  for (let round = 0; round < 4; round++) await stage.pass(6000);
  for (const socket of stage.sockets) assert.ok(socket.destroyed, `seed ${seed}: every connection has ended`);
  for (const { said } of calls) assertOnce(said, seed);
  assert.deepEqual(stage.crashes, [], `seed ${seed}`);
  stage.end();
}

/** In pieces, between which clients do something. */
async function say(next: Next, stage: AppStage, calls: readonly Call[]): Promise<void> {
  const bytes = randomFrames(next, calls.length);
  for (let at = 0; at < bytes.length && !stage.app.destroyed; ) {
    const to = next(3) === 0 ? bytes.length : at + 1 + next(9000);
    stage.app.push(bytes.subarray(at, to));
    at = to;
    if (next(2) === 0) await turns(1);
    for (const call of calls) if (next(4) === 0) behave(next, call);
  }
}

function leave(next: Next, calls: readonly Call[]): void {
  for (const { said, transport } of calls) {
    if (said.some((word) => ENDS.test(word))) continue;
    if (next(2) === 0) transport?.resumeAnswer();
    transport?.abandon();
  }
}

function assertOnce(said: readonly string[], seed: number): void {
  const end = said.findIndex((word) => ENDS.test(word));
  assert.ok(end < 0 || end === said.length - 1, `seed ${seed}: nothing behind the end: ${said}`);
  assert.ok(!said.some((word) => word.startsWith('crashed')), `seed ${seed}: ${said}`);
}

/** Our own frames keep the rules, too. */
function assertInOrder({ sockets }: AppStage, seed: number): void {
  for (const { frames } of sockets) {
    const over = new Set<number>();
    for (const { type, flags, stream, payload } of frames) {
      assert.ok(payload.length <= 16_384, `seed ${seed}`);
      if (type !== Type.data && type !== Type.headers) continue;
      assert.ok(!over.has(stream), `seed ${seed}: nothing behind the end of stream ${stream}`);
      if (flags & 1) over.add(stream);
    }
  }
}

test(`${SEQUENCES} random sequences of an app's frames`, { timeout: 3_600_000 }, async () => {
  for (let seed = 0; seed < SEQUENCES; seed++) await play(seed);
});
