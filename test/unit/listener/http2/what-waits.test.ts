// What a connection of HTTP/2 may hold of uploads that wait for the app, and what becomes of it when its client has its share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsOf } from '../../../support/h2-client.ts';
import { data, headers, Type } from '../../../support/h2-frames.ts';
import { H2Stage, HeldCarrier } from '../../../support/h2-stage.ts';

const post = fieldsOf({ ':method': 'POST' });
const FIRST = 65_535;
const PIECE = Buffer.alloc(16_000, 'u');

async function begin(t: { after(end: () => void): void }): Promise<H2Stage> {
  const stage = await new H2Stage().begin();
  t.after(async () => {
    stage.end();
    await new Promise(setImmediate);
    assert.deepEqual([stage.crashes, stage.budget.held, stage.budget.lent], [[], 0, 0]);
  });
  return stage;
}

/** Opens an upload and sends a whole first window of it. */
async function upload(stage: H2Stage, id: number): Promise<void> {
  await stage.say(headers(id, post, false));
  for (let sent = 0; sent < 4; sent++) await stage.say(data(id, PIECE));
}

test('the window of a connection is that of the RFC, until the app has taken as much', async (t) => {
  const stage = await begin(t);
  assert.equal(stage.windowOpened(0), 0);
  stage.onRequest = (exchange) => exchange.carry(new HeldCarrier());
  await stage.say(headers(1, post, false));
  for (let sent = 0; sent < 40; sent++) await stage.say(data(1, PIECE));
  assert.ok(stage.windowOpened(0) > 40 * PIECE.length + FIRST);
  assert.equal(stage.budget.held, stage.connection.account.held);
});

test('uploads that wait hold up no other, as long as their client has room', async (t) => {
  const stage = await begin(t);
  for (let n = 0; n < 16; n++) await upload(stage, 2 * n + 1);
  assert.ok(stage.budget.held >= 16 * 4 * PIECE.length);
  assert.ok(stage.windowOpened(0) >= 16 * 4 * PIECE.length - FIRST / 4);
});

test('at the share of its client, the largest of those that wait ends', async (t) => {
  const stage = await begin(t);
  const other = stage.budget.open('127.0.0.1');
  await upload(stage, 1);
  await stage.say(headers(3, post, false), data(3, 'small'));
  assert.deepEqual(stage.refused, []);
  other.count(20 << 20);
  await upload(stage, 5);
  assert.deepEqual(new Set(stage.refused.map(({ reason }) => reason)), new Set(['client_over_share']));
  assert.ok(stage.exchanges[1]?.finished === false, 'what holds little goes on');
  assert.deepEqual(stage.failures, []);
  other.count(-other.held);
});

test('what the app has begun to take goes on at the share of its client', async (t) => {
  const stage = await begin(t);
  const carrier = new HeldCarrier();
  stage.onRequest = (exchange) => exchange.carry(carrier);
  const other = stage.budget.open('127.0.0.1');
  other.count(20 << 20);
  await stage.say(headers(1, post, false));
  for (let sent = 0; sent < 20; sent++) await stage.say(data(1, PIECE));
  assert.equal(carrier.bytes, 20 * PIECE.length);
  assert.deepEqual(stage.refused, []);
  assert.equal(stage.socket.of(Type.rstStream).length, 0);
  other.count(-other.held);
});
