// An exchange as HTTP/2 fields, and the app's fields as an answer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../../src/exchange.ts';
import { isRejection } from '../../../../src/forward/answer.ts';
import {
  answerHead,
  owesTrailers,
  requestFields,
  splitStatus,
  trailersRejection,
} from '../../../../src/forward/h2c/message.ts';
import { FakeExchange, type FakeRequest } from '../../pipeline/fake-exchange.ts';

const LIMITS = {
  connectTimeoutMs: 1,
  upstreamTimeoutMs: 1,
  idleTimeoutMs: 1,
  maxConnections: 1,
  maxHeaderBytes: 100,
  maxFields: 3,
};

function exchangeOf(request: FakeRequest, host = 'example.org'): FakeExchange {
  const exchange = new FakeExchange(request);
  exchange.host = host;
  return exchange;
}

test('the request: pseudo fields for the line and Host, no field of the connection', () => {
  const headers = ['Host', 'example.org', 'TE', 'trailers', 'Connection', 'TE', 'X-A', '1'];
  assert.deepEqual(
    { ...requestFields(exchangeOf({ method: 'POST', target: '/a?b', headers })) },
    { ':method': 'POST', ':scheme': 'http', ':authority': 'example.org', ':path': '/a?b', te: 'trailers', 'x-a': '1' },
  );
});

test('a WebSocket: extended CONNECT without the key', () => {
  const exchange = exchangeOf({ headers: ['Sec-WebSocket-Key', 'k', 'Sec-WebSocket-Version', '13'] });
  exchange.upgrade = 'WebSocket';
  const fields = requestFields(exchange);
  assert.equal(fields[':method'], 'CONNECT');
  assert.equal(fields[':protocol'], 'websocket');
  assert.equal(fields['sec-websocket-key'], undefined);
  assert.equal(fields['sec-websocket-version'], '13');
});

describe('the head of an answer', () => {
  const split = (raw: string[]) => {
    const answer = splitStatus(raw, LIMITS);
    return isRejection(answer) ? answer.reason : answer;
  };
  test('status and fields', () =>
    assert.deepEqual(split([':status', '204', 'a', 'b']), { status: 204, headers: ['a', 'b'] }));
  for (const [why, raw, reason] of [
    ['no status', ['a', 'b'], 'upstream_malformed'],
    ['a status of four digits', [':status', '2000'], 'upstream_malformed'],
    ['a second pseudo field', [':status', '200', ':x', 'y'], 'upstream_malformed'],
    ['a line end in a value', [':status', '200', 'a', 'b\r\nc: d'], 'upstream_malformed'],
    ['too many fields', [':status', '200', 'a', '', 'b', '', 'c', '', 'd', ''], 'upstream_header_too_large'],
    ['too many bytes', [':status', '200', 'a', 'b'.repeat(100)], 'upstream_header_too_large'],
  ] as const) {
    test(`${why} is ${reason}`, () => assert.equal(split([...raw]), reason));
  }

  const head = (request: FakeRequest, status: number, headers: string[], ended: boolean) => {
    const result = answerHead(exchangeOf(request), { status, headers }, ended);
    if (isRejection(result)) return result.reason;
    return { length: result.bodyLength, headers: result.headers };
  };
  const H2: FakeRequest = { protocol: 'h2' };
  const rows: [why: string, got: ReturnType<typeof head>, want: ReturnType<typeof head>][] = [
    ['without a length', head(H2, 200, ['a', 'b'], false), { length: UNKNOWN_LENGTH, headers: ['a', 'b'] }],
    ['with a length', head(H2, 200, ['content-length', '5'], false), { length: 5, headers: ['content-length', '5'] }],
    ['ended', head(H2, 200, [], true), { length: 0, headers: [] }],
    ['ended, for HTTP/1.1', head({}, 200, [], true), { length: 0, headers: ['Content-Length', '0'] }],
    ['204, for HTTP/1.1', head({}, 204, [], true), { length: 0, headers: [] }],
    [
      'HEAD',
      head({ method: 'HEAD' }, 200, ['content-length', '5'], true),
      { length: 0, headers: ['content-length', '5'] },
    ],
    ['a length and no body', head(H2, 200, ['content-length', '5'], true), 'upstream_malformed'],
    ['two lengths', head(H2, 200, ['content-length', '5', 'content-length', '6'], false), 'upstream_ambiguous'],
    ['a transfer coding', head(H2, 200, ['transfer-encoding', 'chunked'], false), 'upstream_ambiguous'],
    ['a status above 599', head(H2, 600, [], false), 'upstream_malformed'],
    [
      'trailers announced',
      head(H2, 200, ['trailer', 'x'], false),
      { length: UNKNOWN_LENGTH, headers: ['trailer', 'x'] },
    ],
  ];
  for (const [why, got, want] of rows) test(why, () => assert.deepEqual(got, want));
});

test('trailers are checked', () => {
  assert.equal(trailersRejection(['grpc-status', '0', 'content-length', '5']), undefined);
  assert.equal(trailersRejection(undefined), undefined);
  assert.equal(trailersRejection(['a', 'b\n'])?.reason, 'upstream_malformed');
});

test('an answer of gRPC owes trailers; a page that is no gRPC does not', () => {
  const call = exchangeOf({ protocol: 'h2' });
  call.grpc = true;
  const of = (status: number, type: string) => {
    const head = answerHead(call, { status, headers: ['content-type', type] }, false);
    return !isRejection(head) && owesTrailers(call, head);
  };
  assert.ok(of(200, 'application/grpc+proto'));
  assert.ok(!of(200, 'text/html'));
  assert.ok(!of(503, 'application/grpc'));
});
