// An exchange as HTTP/2 fields, and the app's fields as an answer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../../src/exchange.ts';
import { isRejection } from '../../../../src/forward/answer.ts';
import {
  answerHead,
  endRejection,
  readFields,
  readHead,
  requestFields,
  resetRejection,
} from '../../../../src/forward/h2c/message.ts';
import { Code } from '../../../../src/http/h2/frames.ts';
import { Field } from '../../../../src/http/hpack/field.ts';
import { FakeExchange, type FakeRequest } from '../../pipeline/fake-exchange.ts';

const LIMITS = {
  connectTimeoutMs: 1,
  upstreamTimeoutMs: 1,
  idleTimeoutMs: 1,
  maxConnections: 1,
  maxHeaderBytes: 100,
  maxFields: 3,
};

function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < raw.length; i += 2) fields.push(new Field(raw[i] ?? '', raw[i + 1] ?? ''));
  return fields;
}

function exchangeOf(request: FakeRequest, host = 'example.org'): FakeExchange {
  const exchange = new FakeExchange(request);
  exchange.host = host;
  return exchange;
}

test('the request: pseudo fields for the line and Host, then the others as they came', () => {
  const headers = ['Host', 'example.org', 'TE', 'trailers', 'X-A', '1', 'X-A', '2'];
  const line = [':method', 'POST', ':scheme', 'http', ':authority', 'example.org', ':path', '/a?b'];
  assert.deepEqual(requestFields(exchangeOf({ method: 'POST', target: '/a?b', headers })), [
    ...line,
    'TE',
    'trailers',
    'X-A',
    '1',
    'X-A',
    '2',
  ]);
});

test('a WebSocket: extended CONNECT without the key', () => {
  const exchange = exchangeOf({ headers: ['Sec-WebSocket-Key', 'k', 'Sec-WebSocket-Version', '13'] });
  exchange.upgrade = 'WebSocket';
  const fields = requestFields(exchange);
  assert.deepEqual(fields.slice(0, 2), [':method', 'CONNECT']);
  assert.deepEqual(fields.slice(8), [':protocol', 'websocket', 'Sec-WebSocket-Version', '13']);
});

describe('the head of an answer', () => {
  const split = (raw: string[]) => {
    const answer = readHead(fieldsOf(raw), false, LIMITS);
    return isRejection(answer) ? answer.reason : answer;
  };
  test('status and fields', () =>
    assert.deepEqual(split([':status', '204', 'a', 'b']), { status: 204, headers: ['a', 'b'] }));
  for (const [why, raw, reason] of [
    ['no status', ['a', 'b'], 'upstream_malformed'],
    ['a status of four digits', [':status', '2000'], 'upstream_malformed'],
    ['a second pseudo field', [':status', '200', ':x', 'y'], 'upstream_malformed'],
    ['a name in upper case', [':status', '200', 'X-A', 'b'], 'upstream_malformed'],
    ['a field of a connection', [':status', '200', 'connection', 'close'], 'upstream_malformed'],
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

test('more fields than were kept are upstream_header_too_large', () => {
  const answer = readHead(fieldsOf([':status', '200']), true, LIMITS);
  assert.ok(isRejection(answer) && answer.reason === 'upstream_header_too_large');
});

test('trailers are checked', () => {
  const of = (raw: string[]) => {
    const trailers = readFields(fieldsOf(raw), 0, false, LIMITS);
    return isRejection(trailers) ? trailers.reason : trailers;
  };
  assert.deepEqual(of(['grpc-status', '0', 'content-length', '5']), ['grpc-status', '0', 'content-length', '5']);
  assert.equal(of(['a', 'b\n']), 'upstream_malformed');
  assert.equal(of([':status', '200']), 'upstream_malformed');
});

test('an answer of gRPC owes trailers; a page that is no gRPC does not', () => {
  const call = exchangeOf({ protocol: 'h2' });
  call.grpc = true;
  const of = (status: number, type: string, trailers?: string[]) => {
    const head = answerHead(call, { status, headers: ['content-type', type] }, false);
    return isRejection(head) ? head.reason : endRejection(call, head, 0, trailers)?.reason;
  };
  assert.equal(of(200, 'application/grpc+proto'), 'upstream_closed');
  assert.equal(of(200, 'application/grpc+proto', ['grpc-status', '0']), undefined);
  assert.equal(of(200, 'text/html'), undefined);
  assert.equal(of(503, 'application/grpc'), undefined);
});

test('an answer that ended before its length is upstream_closed', () => {
  const asked = exchangeOf({});
  const head = answerHead(asked, { status: 200, headers: ['content-length', '5'] }, false);
  assert.ok(!isRejection(head));
  assert.equal(endRejection(asked, head, 4, undefined)?.reason, 'upstream_closed');
  assert.equal(endRejection(asked, head, 5, undefined), undefined);
});

test('a stream that was lost with a word on the protocol is upstream_malformed, else upstream_closed', () => {
  for (const code of [Code.protocol, Code.flowControl, Code.frameSize, Code.compression, Code.streamClosed])
    assert.equal(resetRejection(code).reason, 'upstream_malformed');
  for (const code of [Code.none, Code.cancel, Code.internal, Code.refusedStream, Code.enhanceYourCalm])
    assert.equal(resetRejection(code).reason, 'upstream_closed');
});
