// What an exchange comes to, in every protocol: once, with a reason where the client has not all of its answer, and with its carrier
// told if there was still something to do.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import { crashExchange } from '../../../src/listener/exchange-state.ts';
import { FakeCarrier } from '../listener/http1/fake-handler.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

function begin() {
  const exchange = new FakeExchange({});
  const carrier = new FakeCarrier();
  const told: string[] = [];
  const handler = {
    finished: () => void told.push('finished'),
    crashed: (_exchange: unknown, error: unknown) => void told.push(String(error)),
  };
  exchange.carry(carrier);
  return { exchange, carrier, told, handler };
}

describe('an exchange that is over', () => {
  test('after a whole answer has no reason, and its carrier is left alone', () => {
    const { exchange, carrier, told, handler } = begin();
    exchange.answer(200, 'OK', [], 0);
    exchange.ended = true;
    exchange.conclude(true, handler);
    assert.deepEqual([exchange.status, exchange.rejection, carrier.calls, told], [200, undefined, [], ['finished']]);
  });

  test('in the middle of an answer was left by its client', () => {
    const { exchange, carrier, handler } = begin();
    exchange.answer(200, 'OK', [], 5);
    exchange.conclude(false, handler);
    assert.deepEqual([exchange.status, exchange.rejection?.reason, carrier.calls], [200, 'client_gone', ['gone']]);
  });

  test('before an answer has the status of whoever ended it', () => {
    for (const [given, status] of [
      [undefined, REJECTIONS.client_gone.status],
      [REJECTIONS.client_timeout, 408],
    ] as const) {
      const { exchange, handler } = begin();
      exchange.rejection = given;
      exchange.conclude(false, handler);
      assert.equal(exchange.status, status);
      assert.equal(exchange.rejection, given ?? REJECTIONS.client_gone);
    }
  });

  test('as a tunnel has no reason, and its carrier is told', () => {
    const { exchange, carrier, handler } = begin();
    exchange.answered = true;
    exchange.status = 101;
    exchange.conclude(true, handler);
    assert.deepEqual([exchange.status, exchange.rejection, carrier.calls], [101, undefined, ['gone']]);
  });

  test('is so once', () => {
    const { exchange, carrier, told, handler } = begin();
    exchange.conclude(false, handler);
    exchange.conclude(true, handler);
    exchange.letCarrierGo();
    assert.deepEqual([told, carrier.calls], [['finished'], ['gone']]);
  });
});

describe('a defect', () => {
  test('is told, and the carrier of what was answered for it', () => {
    const { exchange, carrier, told, handler } = begin();
    const answering = (_exchange: unknown, error: unknown): void => {
      handler.crashed(_exchange, error);
      exchange.ended = true;
    };
    crashExchange(exchange, 'defect', { crashed: answering });
    assert.deepEqual([told, carrier.calls], [['defect'], ['gone']]);
  });

  test('without an exchange is told', () => {
    const { told, handler } = begin();
    crashExchange(undefined, 'defect', handler);
    assert.deepEqual(told, ['defect']);
  });

  test('of who is told of it, or of the carrier, goes no further', () => {
    const { exchange, carrier, handler } = begin();
    const fail = (): never => {
      throw new Error('another');
    };
    crashExchange(exchange, 'defect', { crashed: fail });
    carrier.gone = fail;
    exchange.ended = true;
    crashExchange(exchange, 'defect', handler);
  });
});
