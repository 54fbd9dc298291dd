// The webhook in the place of a forwarder: it answers each exchange once, in time, and holds nothing afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rejection } from '../../../src/errors.ts';
import type { Exchange } from '../../../src/exchange.ts';
import { readSettings } from '../../../src/inject/options.ts';
import { Deadlines } from '../../../src/net/deadlines.ts';
import { createWebhook, type ReviewObserver } from '../../../src/webhook/webhook.ts';
import { responseIn, reviewOf } from '../../support/reviews.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

function stage(observer: ReviewObserver = { reviewed() {} }) {
  let nowMs = 0;
  const deadlines = new Deadlines(() => nowMs);
  const told: string[] = [];
  const settings = readSettings({ secret: ['web-tls'] }, '0.1.0', []);
  const webhook = createWebhook({ settings, observer, clock: () => nowMs, deadlines, now: () => new Date(0) });
  const failures = {
    fail: (exchange: Exchange, { reason }: Rejection) => {
      told.push(reason);
      exchange.cut();
    },
    crashed: (exchange: Exchange | undefined) => {
      told.push('crashed');
      exchange?.cut();
    },
  };
  const ask = (request: { method?: string; target?: string } = {}, awaitsContinue = false): FakeExchange => {
    const exchange = new FakeExchange({ method: 'POST', target: '/inject?timeout=2s', bodyLength: -1, ...request });
    exchange.awaitsContinue = awaitsContinue;
    webhook.forward(exchange, failures);
    return exchange;
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    deadlines.sweep();
  };
  return { ask, told, pass };
}

const body = Buffer.from(reviewOf());

test('a review is answered once, and holds nothing afterwards', () => {
  const { ask, told, pass } = stage();
  const exchange = ask();
  const { carrier } = exchange;
  carrier?.body(body.subarray(0, 100));
  carrier?.body(body.subarray(100));
  assert.ok(exchange.connection.account.held > 0);
  carrier?.bodyEnd(undefined);
  carrier?.bodyEnd(undefined);
  pass(10_000);
  assert.deepEqual(exchange.calls, ['carry', 'answer 200 OK', 'write', 'end']);
  assert.equal(responseIn(exchange.body).allowed, true);
  assert.equal(exchange.answerLength, exchange.body.length);
  assert.deepEqual([told, exchange.connection.account.held], [[], 0]);
});

test('who waits for a 100 gets one', () => {
  assert.deepEqual(stage().ask({}, true).calls, ['inform 100', 'carry']);
});

test('after 2 s it is too late, and what comes then is not kept', () => {
  const { ask, told, pass } = stage();
  const exchange = ask();
  const { carrier } = exchange;
  carrier?.body(body.subarray(0, 100));
  pass(1999);
  assert.deepEqual(told, []);
  pass(1);
  assert.deepEqual(told, ['review_timeout']);
  carrier?.body(body);
  carrier?.bodyEnd(undefined);
  assert.deepEqual([told, exchange.connection.account.held], [['review_timeout'], 0]);
});

test('a client that left leaves nothing behind', () => {
  const { ask, told, pass } = stage();
  const exchange = ask();
  exchange.carrier?.body(body);
  exchange.cut();
  pass(10_000);
  assert.deepEqual([told, exchange.connection.account.held], [[], 0]);
});

test('a defect of ours is told, and ends nothing but its exchange', () => {
  const { ask, told } = stage({
    reviewed() {
      throw new Error('defect');
    },
  });
  for (const exchange of [ask(), ask()]) {
    exchange.carrier?.body(body);
    exchange.carrier?.bodyEnd(undefined);
    assert.equal(exchange.connection.account.held, 0);
  }
  assert.deepEqual(told, ['crashed', 'crashed']);
});

test('other methods and paths are no endpoint', () => {
  const { ask, told } = stage();
  for (const request of [{ method: 'GET' }, { target: '/' }, { target: '/inject/x' }, { target: '/injected' }])
    ask(request);
  assert.deepEqual(told, Array(4).fill('no_such_endpoint'));
});
