// A call of gRPC may be silent for hours, once it has said its first message or the app has answered; before that, it is held to
// the time-out of clients like everybody.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../../../../src/exchange.ts';
import { fieldsOf } from '../../../support/h2-client.ts';
import { data, headers, SETTINGS_ACK } from '../../../support/h2-frames.ts';
import { H2Stage, HeldCarrier } from '../../../support/h2-stage.ts';

const call = fieldsOf({ ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' });
const MESSAGE = Buffer.from([0, 0, 0, 0, 4, 1, 2, 3, 4]);

async function begin(t: { after(end: () => void): void }): Promise<H2Stage> {
  const stage = new H2Stage();
  stage.onRequest = (exchange: Exchange) => {
    exchange.grpc = true;
    exchange.bodyLength = -1;
    exchange.carry(new HeldCarrier());
  };
  await stage.begin();
  t.after(() => {
    stage.end();
    assert.deepEqual([stage.crashes, stage.failures], [[], []]);
  });
  await stage.say(SETTINGS_ACK, headers(1, call, false));
  return stage;
}

/** Time passes, and the client is there: it answers pings. */
async function pass(stage: H2Stage, ms: number, each: () => Promise<void> = async () => {}): Promise<void> {
  for (let left = ms; left > 0; left -= 5000) {
    await each();
    await stage.pass(5000);
    await stage.say(Buffer.from([0, 0, 8, 6, 1, 0, 0, 0, 0, ...Buffer.alloc(8)]));
  }
}

test('a call that never says a word ends after the time-out', async (t) => {
  const stage = await begin(t);
  await pass(stage, 25_000);
  assert.deepEqual(stage.refused, []);
  await pass(stage, 10_000);
  assert.deepEqual(
    stage.refused.map(({ reason }) => reason),
    ['client_timeout'],
  );
});

test('a call that says a part of its first message, slower than the least rate, ends', async (t) => {
  const stage = await begin(t);
  await pass(stage, 40_000, () => stage.say(data(1, Buffer.from([1]))));
  assert.deepEqual(
    stage.refused.map(({ reason }) => reason),
    ['client_timeout'],
  );
});

test('a call that has said its first message may be silent', async (t) => {
  const stage = await begin(t);
  await stage.say(data(1, MESSAGE.subarray(0, 6)));
  await pass(stage, 20_000);
  await stage.say(data(1, MESSAGE.subarray(6)));
  await pass(stage, 120_000);
  assert.deepEqual(stage.refused, []);
});

test('a call that the app has answered may be silent from the start', async (t) => {
  const stage = await begin(t);
  stage.exchanges[0]?.answer(200, 'OK', [], -1);
  await pass(stage, 120_000);
  assert.deepEqual(stage.refused, []);
});
