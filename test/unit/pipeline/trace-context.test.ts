// What the app is told of the trace: our span, once, whatever the client wrote.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { traceContext } from '../../../src/pipeline/trace-context.ts';
import { FakeExchange } from './fake-exchange.ts';

const OURS = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01';
const THEIRS = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function sentOf(headers: string[], root: boolean): string[] {
  const exchange = new FakeExchange({ headers });
  exchange.span = { traceparent: OURS, root, end() {} };
  assert.equal(traceContext.apply(exchange), undefined);
  return exchange.sent;
}

describe('the trace context of the app', () => {
  test('names our span in place of the parent of it, and keeps the tracestate', () => {
    const headers = ['A', '1', 'Traceparent', THEIRS, 'TraceState', 'a=1', 'tracestate', 'b=2', 'B', '2'];
    const before = [...headers];
    assert.deepEqual(sentOf(headers, false), [
      ...['A', '1', 'TraceState', 'a=1', 'tracestate', 'b=2', 'B', '2'],
      ...['traceparent', OURS],
    ]);
    assert.deepEqual(headers, before, 'the list may be of other requests, too');
  });

  test('has nothing of the client where our span begins the trace', () => {
    const headers = ['tracestate', 'a=1', 'TRACEPARENT', 'x', 'traceparent', 'y', 'A', '1'];
    assert.deepEqual(sentOf(headers, true), ['A', '1', 'traceparent', OURS]);
  });

  test('leaves the list as it is where it says nothing of traces', () => {
    const exchange = new FakeExchange({ headers: ['X-Names-1234', '1', 'Connection', 'close'] });
    const { headers } = exchange;
    exchange.span = { traceparent: OURS, root: true, end() {} };
    traceContext.apply(exchange);
    assert.equal(exchange.headers, headers);
  });
});
