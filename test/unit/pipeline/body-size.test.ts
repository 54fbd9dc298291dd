// How large a body may be, as far as its head tells it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import { UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { bodySize } from '../../../src/pipeline/body-size.ts';
import { FakeExchange } from './fake-exchange.ts';

function judge(maxBodySize: number, bodyLength: number) {
  const exchange = new FakeExchange({ bodyLength });
  return { rejection: bodySize({ maxBodySize }).apply(exchange), exchange };
}

test('a body of exactly the limit passes, one byte more does not', () => {
  assert.equal(judge(100, 100).rejection, undefined);
  assert.equal(judge(100, 101).rejection, REJECTIONS.body_too_large);
});

test('without a limit every body passes', () => {
  assert.equal(judge(Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER).rejection, undefined);
});

test('the limit goes with a body of unknown length', () => {
  const { rejection, exchange } = judge(100, UNKNOWN_LENGTH);
  assert.deepEqual([rejection, exchange.maxBodyBytes], [undefined, 100]);
});

test('the limit is read anew for each exchange', () => {
  const limit = { maxBodySize: 10 };
  const policy = bodySize(limit);
  limit.maxBodySize = 20;
  assert.equal(policy.apply(new FakeExchange({ bodyLength: 15 })), undefined);
});
