// The run through the policies: who is asked, who answers, and that every exchange is observed once, whatever happens.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS, type Rejection } from '../../../src/errors.ts';
import type { Exchange, Failures } from '../../../src/exchange.ts';
import { fieldValue } from '../../../src/http/fields.ts';
import { AddressList } from '../../../src/net/addresses.ts';
import { ClientRates } from '../../../src/net/client-rates.ts';
import { createPipeline } from '../../../src/pipeline/pipeline.ts';
import { createPolicies, type Policy } from '../../../src/pipeline/policies.ts';
import { FakeExchange } from './fake-exchange.ts';

type Parts = { policies?: Policy[]; forward?: (exchange: Exchange, failures: Failures) => void };

function pipelineOf({ policies = [], forward = () => {} }: Parts = {}) {
  const events: string[] = [];
  const errors: unknown[] = [];
  const handler = createPipeline({
    policies,
    forwarder: {
      forward(exchange, failures) {
        events.push('forward');
        forward(exchange, failures);
      },
    },
    observer: {
      started: () => void events.push('started'),
      finished: () => void events.push('finished'),
      internalError: (_exchange, error) => {
        events.push('internalError');
        errors.push(error);
      },
    },
    now: () => new Date(0),
  });
  return { handler, events, errors };
}

function policy(name: string, events: string[], result?: Rejection): Policy {
  return {
    name,
    apply() {
      events.push(name);
      return result;
    },
  };
}

describe('an exchange that is handled', () => {
  test('passes every policy in order and is forwarded', () => {
    const seen: string[] = [];
    const { handler, events } = pipelineOf({ policies: [policy('a', seen), policy('b', seen)] });
    const exchange = new FakeExchange({});
    handler.handle(exchange);
    assert.deepEqual([seen, events, exchange.calls], [['a', 'b'], ['started', 'forward'], []]);
    assert.equal(exchange.rejection, undefined);
  });

  test('is answered by the first policy that rejects it, and asks no other', () => {
    const seen: string[] = [];
    const policies = [
      policy('a', seen),
      policy('b', seen, REJECTIONS.bad_host),
      policy('c', seen, REJECTIONS.bad_target),
    ];
    const { handler, events } = pipelineOf({ policies });
    const exchange = new FakeExchange({});
    handler.handle(exchange);
    assert.deepEqual([seen, events], [['a', 'b'], ['started']]);
    assert.deepEqual([exchange.status, exchange.rejection], [400, REJECTIONS.bad_host]);
  });

  test('is answered with 500 when a policy throws, and the error is told', () => {
    const error = new Error('defect');
    const broken: Policy = {
      name: 'broken',
      apply() {
        throw error;
      },
    };
    const { handler, events, errors } = pipelineOf({ policies: [broken] });
    const exchange = new FakeExchange({});
    handler.handle(exchange);
    assert.deepEqual([events, errors], [['started', 'internalError'], [error]]);
    assert.deepEqual([exchange.status, exchange.rejection], [500, REJECTIONS.internal_error]);
    assert.doesNotMatch(exchange.body, /defect/);
  });

  test('is answered with 500 when the forwarder throws before the answer, and cut when after its head', () => {
    for (const answered of [false, true]) {
      const { handler, events } = pipelineOf({
        forward(exchange) {
          if (answered) exchange.answer(200, 'OK', [], 5);
          throw new Error('defect');
        },
      });
      const exchange = new FakeExchange({});
      handler.handle(exchange);
      assert.deepEqual(events, ['started', 'forward', 'internalError']);
      assert.deepEqual([exchange.status, exchange.calls.at(-1)], answered ? [200, 'cut'] : [500, 'end']);
      assert.equal(exchange.rejection, REJECTIONS.internal_error);
    }
  });

  test('that the forwarder says has failed is answered with what the forwarder says', () => {
    const { handler } = pipelineOf({
      forward: (exchange, failures) => failures.fail(exchange, REJECTIONS.upstream_refused),
    });
    const exchange = new FakeExchange({});
    handler.handle(exchange);
    assert.deepEqual([exchange.status, exchange.rejection], [502, REJECTIONS.upstream_refused]);
  });
});

describe('a failure', () => {
  test('before the head of the answer is answered', () => {
    const exchange = new FakeExchange({});
    pipelineOf().handler.fail(exchange, REJECTIONS.client_timeout);
    assert.deepEqual(exchange.calls, ['answer 408 Request Timeout', 'write', 'end']);
    assert.equal(exchange.rejection, REJECTIONS.client_timeout);
  });

  test('after the head of the answer cuts the exchange', () => {
    const exchange = new FakeExchange({});
    exchange.answered = true;
    exchange.status = 200;
    pipelineOf().handler.fail(exchange, REJECTIONS.upstream_timeout);
    assert.deepEqual([exchange.calls, exchange.status], [['cut'], 200]);
    assert.equal(exchange.rejection, REJECTIONS.upstream_timeout);
  });

  test('after the end is nothing', () => {
    for (const answered of [true, false]) {
      const exchange = new FakeExchange({});
      exchange.finished = true;
      exchange.answered = answered;
      pipelineOf().handler.fail(exchange, REJECTIONS.upstream_closed);
      assert.deepEqual([exchange.calls, exchange.rejection], [[], undefined]);
    }
  });

  test('a second time is nothing', () => {
    const exchange = new FakeExchange({});
    const { handler } = pipelineOf();
    handler.fail(exchange, REJECTIONS.upstream_closed);
    handler.fail(exchange, REJECTIONS.client_timeout);
    assert.deepEqual([exchange.calls.length, exchange.rejection], [3, REJECTIONS.upstream_closed]);
  });
});

test('an exchange that the listener refuses is observed and answered, and no policy sees it', () => {
  const seen: string[] = [];
  const { handler, events } = pipelineOf({ policies: [policy('a', seen)] });
  const exchange = new FakeExchange({});
  handler.refuse(exchange, REJECTIONS.header_too_large);
  assert.deepEqual([seen, events, exchange.status], [[], ['started'], 431]);
});

test('the end of an exchange is observed', () => {
  const { handler, events } = pipelineOf();
  handler.finished(new FakeExchange({}));
  assert.deepEqual(events, ['finished']);
});

describe('an answer of ours', () => {
  for (const rejection of Object.values(REJECTIONS)) {
    test(`to ${rejection.reason} says its status, its word and where to look`, () => {
      const exchange = new FakeExchange({});
      exchange.requestId = 'the-id';
      pipelineOf().handler.fail(exchange, rejection);
      const headers = exchange.answerHeaders;
      assert.equal(exchange.status, rejection.status);
      assert.equal(fieldValue(headers, 'content-length'), String(Buffer.byteLength(exchange.body)));
      assert.equal(exchange.answerLength, Buffer.byteLength(exchange.body));
      assert.equal(fieldValue(headers, 'content-type'), 'text/plain; charset=utf-8');
      assert.equal(fieldValue(headers, 'cache-control'), 'no-store');
      assert.equal(fieldValue(headers, 'date'), 'Thu, 01 Jan 1970 00:00:00 GMT');
      const proxyStatus = fieldValue(headers, 'proxy-status') ?? '';
      assert.match(proxyStatus, new RegExp(`^tls-sidecar; error=${rejection.error}; details="${rejection.reason}"$`));
      assert.ok(exchange.body.startsWith(`${rejection.status} ${rejection.reason}\n`));
      for (const part of [rejection.text, `"${rejection.reason}"`, '"the-id"'])
        assert.ok(exchange.body.includes(part), part);
      assert.ok(exchange.body.endsWith('.\n'));
      // What has no phrase in the registry still has one here.
      assert.match(exchange.calls[0] ?? '', /^answer \d{3} [A-Z][\w '-]+$/);
    });
  }

  test('to HEAD has the same head and no body', () => {
    const [head, get] = ['HEAD', 'GET'].map((method) => {
      const exchange = new FakeExchange({ method });
      pipelineOf().handler.fail(exchange, REJECTIONS.upstream_refused);
      return exchange;
    });
    assert.deepEqual(head?.calls, ['answer 502 Bad Gateway', 'end']);
    assert.deepEqual(head?.answerHeaders, get?.answerHeaders);
    assert.equal(head?.body, '');
  });

  test('names no id where the request has none yet', () => {
    const exchange = new FakeExchange({});
    pipelineOf().handler.refuse(exchange, REJECTIONS.malformed_request);
    assert.doesNotMatch(exchange.body, /requestId/);
  });

  test('holds nothing of the request', () => {
    const exchange = new FakeExchange({ target: '/secret', headers: ['Host', 'secret', 'X-Secret', 'secret'] });
    exchange.host = 'secret';
    pipelineOf().handler.fail(exchange, REJECTIONS.bad_host);
    assert.doesNotMatch(exchange.body + exchange.answerHeaders.join(), /secret/);
  });
});

describe('the list of policies', () => {
  const policies = createPolicies({
    limits: { maxBodySize: Number.POSITIVE_INFINITY, rateLimit: undefined },
    rates: new ClientRates(() => 0),
    appAuthority: 'localhost:80',
    plaintext: 'reject',
    trusted: new AddressList([]),
    admission: { restricted: false, admits: () => true },
  });

  test('tells a client without TLS so first, and sets our fields last', () => {
    const names = policies.map(({ name }) => name);
    assert.deepEqual([names[0], names.at(-1)], ['plaintext', 'clientCertificate']);
    assert.ok(names.includes('requestRules'));
    assert.equal(new Set(names).size, names.length);
  });

  test('answers plain HTTP in words, whatever else is wrong with the request', () => {
    const exchange = new FakeExchange({ target: 'x', headers: [], connection: { scheme: 'http' } });
    pipelineOf({ policies: [...policies] }).handler.handle(exchange);
    assert.deepEqual([exchange.status, exchange.rejection], [400, REJECTIONS.plaintext]);
    assert.match(exchange.body, /https:\/\//);
  });

  test('lets a good request through with our fields', () => {
    const exchange = new FakeExchange({ headers: ['Host', 'a'] });
    const { handler, events } = pipelineOf({ policies: [...policies] });
    handler.handle(exchange);
    assert.deepEqual(events, ['started', 'forward']);
    assert.equal(fieldValue(exchange.sent, 'x-forwarded-for'), '192.0.2.7');
  });
});
