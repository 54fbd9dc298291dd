// Which requests are gRPC calls, and how a failure is told to them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import { fieldValue } from '../../../src/http/fields.ts';
import { grpc, grpcCode, percentEncoded } from '../../../src/pipeline/grpc.ts';
import { createPipeline } from '../../../src/pipeline/pipeline.ts';
import { FakeExchange } from './fake-exchange.ts';

describe('a gRPC call', () => {
  const rows: [type: string | undefined, protocol: 'h2' | 'http/1.1', isCall: boolean][] = [
    ['application/grpc', 'h2', true],
    ['application/grpc+proto', 'h2', true],
    ['application/grpc;x=y', 'h2', true],
    ['Application/GRPC', 'h2', true],
    ['application/grpc-web', 'h2', false],
    ['application/grpc-web+proto', 'h2', false],
    ['application/grpcx', 'h2', false],
    ['text/plain', 'h2', false],
    [undefined, 'h2', false],
    ['application/grpc', 'http/1.1', false],
  ];
  for (const [type, protocol, isCall] of rows) {
    test(`${type} over ${protocol}: ${isCall}`, () => {
      const headers = type === undefined ? [] : ['content-type', type];
      const exchange = new FakeExchange({ method: 'POST', protocol, headers });
      grpc.apply(exchange);
      assert.equal(exchange.grpc, isCall);
    });
  }
});

test("HTTP's status is mapped as gRPC does", () => {
  const rows = [
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [502, 14],
    [503, 14],
    [504, 14],
    [408, 2],
    [413, 2],
    [431, 2],
    [500, 2],
    [501, 2],
  ];
  for (const [status = 0, code] of rows) assert.equal(grpcCode(status), code, `${status}`);
});

test('messages are encoded as gRPC wants', () => {
  assert.equal(percentEncoded('plain: text ~!'), 'plain: text ~!');
  assert.equal(percentEncoded('100%\r\n☺'), '100%25%0D%0A%E2%98%BA');
});

test('a rejection of a call is one head without a body; log and metrics have the status of HTTP', () => {
  const exchange = new FakeExchange({ method: 'POST', protocol: 'h2', headers: ['content-type', 'application/grpc'] });
  const handler = createPipeline({
    policies: [grpc],
    forwarder: { forward: (refused, failures) => failures.fail(refused, REJECTIONS.upstream_refused) },
    observer: { started() {}, finished() {}, internalError() {} },
    now: () => new Date(0),
  });
  handler.handle(exchange);
  assert.deepEqual(exchange.calls, ['answer 200 OK', 'end']);
  assert.equal(exchange.answerLength, 0);
  assert.equal(exchange.status, 502);
  assert.equal(exchange.rejection, REJECTIONS.upstream_refused);
  assert.equal(fieldValue(exchange.answerHeaders, 'content-type'), 'application/grpc');
  assert.equal(fieldValue(exchange.answerHeaders, 'grpc-status'), '14');
  assert.match(fieldValue(exchange.answerHeaders, 'grpc-message') ?? '', /^upstream_refused: /);
  assert.match(fieldValue(exchange.answerHeaders, 'proxy-status') ?? '', /details="upstream_refused"/);
});
