// Random sequences of frames that an app sends, of valid, mutated and senseless ones, against sessions to it, with clients
// that pause, send and leave at random. Whatever comes: no throw, every call ends once and says nothing behind its end, and
// every connection ends when it was told to. RANDOM_SEQUENCES=50000 for more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../src/exchange.ts';
import { AppStage, type Call } from '../support/app-session-stage.ts';
import { data, type Field, headerBlock, headers, pushPromise, Setting, settings } from '../support/h2-frames.ts';
import { turns } from '../support/h2-stage.ts';
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

const OK: Field[] = [[':status', '200']];

const USUAL: readonly Make[] = [
  (next, id) => headers(id, OK, next(4) === 0),
  (next, id) => data(id, Buffer.alloc(next(100))),
  (_, id) => data(id, 'the last', true),
  (_, id) => headers(id, [['grpc-status', '0']]),
  (_, id) => headers(id, [[':status', '103']], false),
  ...ORDINARY,
];
const ALL: readonly Make[] = [
  ...USUAL,
  ...odd(headerBlock([...OK, ['x-a', 'b']])),
  (next, id) => headers(id, [...OK, ['content-length', String(next(3000))]], false),
  (next) => settings([[Setting.maxConcurrentStreams, next(4)]]),
  (_, id) => pushPromise(id),
];

/** On the streams of that many calls, mostly, and mostly with heads before the rest. */
function randomFrames(next: Next, calls: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < calls; at++) if (next(3) > 0) frames.push(headers(1 + 2 * at, OK, false));
  for (let count = 1 + next(20); count > 0; count--) {
    const id = next(60) === 0 ? next(40) : 1 + 2 * next(calls);
    frames.push(one(next, next(12) === 0 ? ALL : USUAL)(next, id));
  }
  return joined(next, frames);
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
  for (const { frames } of stage.sockets) assertInOrder(frames, seed);
  leave(next, calls);
  stage.pool.close();
  for (let round = 0; round < 4; round++) await stage.pass(6000);
  for (const socket of stage.sockets) assert.ok(socket.destroyed, `seed ${seed}: every connection has ended`);
  for (const { said } of calls) assertOnce(said, seed);
  assert.deepEqual(stage.crashes, [], `seed ${seed}`);
  stage.end();
  await turns(1);
  assert.deepEqual([stage.budget.held, stage.budget.lent], [0, 0], `seed ${seed}: nothing is held`);
}

/** In pieces, between which clients do something. */
async function say(next: Next, stage: AppStage, calls: readonly Call[]): Promise<void> {
  for (const bytes of inPieces(next, randomFrames(next, calls.length))) {
    if (stage.app.destroyed) return;
    stage.app.push(bytes);
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

test(`${SEQUENCES} random sequences of an app's frames`, { timeout: 3_600_000 }, async () => {
  for (let seed = 0; seed < SEQUENCES; seed++) await play(seed);
});
