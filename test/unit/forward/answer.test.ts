// The rules on the app's answer: where its body ends, what the client gets of its head, and whether the connection to
// the app may be used again.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Reason } from '../../../src/errors.ts';
import { UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { type AnswerHead, isRejection, readAnswer, socketRejection } from '../../../src/forward/answer.ts';

type Request = { method?: string; version?: string; status?: number };

function read(headers: string[], { method = 'GET', version = '1.1', status = 200 }: Request = {}): AnswerHead | Reason {
  const result = readAnswer(method, version, status, 'Reason', headers);
  return isRejection(result) ? result.reason : result;
}

function headOf(headers: string[], request: Request = {}): AnswerHead {
  const result = read(headers, request);
  assert.ok(typeof result === 'object', `rejected: ${String(result)}`);
  return result;
}

const length = (value: string): string[] => ['Content-Length', value];
const coding = (value: string): string[] => ['Transfer-Encoding', value];
const connection = (value: string): string[] => ['Connection', value];
const HEAD = { method: 'HEAD' };
const OLD = { version: '1.0' };

/** A body of n bytes; `chunked`, `until close` or none; and whether the connection persists. */
type Framing = number | 'chunked' | 'until close' | 'none';

describe('the framing of an answer', () => {
  const rows: readonly (readonly [
    what: string,
    headers: string[],
    request: Request,
    body: Framing,
    persists: boolean,
  ])[] = [
    ['a length', length('5'), {}, 5, true],
    ['a length of 0', length('0'), {}, 'none', true],
    ['the greatest length', length('9007199254740991'), {}, Number.MAX_SAFE_INTEGER, true],
    ['a length and close', [...length('5'), ...connection('close')], {}, 5, false],
    ['a length and Close', [...length('5'), ...connection('Close')], {}, 5, false],
    ['a length and close in a list', [...length('5'), ...connection('x, close')], {}, 5, false],
    [
      'a length and close in a second field',
      [...length('5'), ...connection('x'), ...connection('close')],
      {},
      5,
      false,
    ],
    ['a length, close and keep-alive', [...length('5'), ...connection('keep-alive, close')], {}, 5, false],
    ['a length and keep-alive', [...length('5'), ...connection('keep-alive')], {}, 5, true],
    ['a length and an empty Connection', [...length('5'), ...connection('')], {}, 5, true],
    ['a length and a word that begins with close', [...length('5'), ...connection('closed')], {}, 5, true],
    ['chunked', coding('chunked'), {}, 'chunked', true],
    ['chunked in capitals', ['transfer-encoding', 'Chunked'], {}, 'chunked', true],
    ['chunked and close', [...coding('chunked'), ...connection('close')], {}, 'chunked', false],
    ['neither', [], {}, 'until close', false],
    ['neither, with keep-alive', connection('keep-alive'), {}, 'until close', false],
    ['neither, in an answer to POST', [], { method: 'POST' }, 'until close', false],
    ['neither, in an error', [], { status: 404 }, 'until close', false],
    // RFC 9110 section 15.3.6: it has no content, so nothing is waited for; but who knows what an app sends that says no length.
    ['neither, in 205', [], { status: 205 }, 'none', false],
    ['205 with a length of 0', length('0'), { status: 205 }, 0, true],
    ['HEAD with the length of a 205', length('5'), { ...HEAD, status: 205 }, 'none', true],
    ['204', [], { status: 204 }, 'none', true],
    ['204 with a length', length('5'), { status: 204 }, 'none', true],
    ['204 and chunked', coding('chunked'), { status: 204 }, 'none', true],
    ['204 and close', connection('close'), { status: 204 }, 'none', false],
    ['304', [], { status: 304 }, 'none', true],
    ['304 with the length of what it leaves out', length('5'), { status: 304 }, 'none', true],
    ['304 and chunked', coding('chunked'), { status: 304 }, 'none', true],
    ['HEAD', [], HEAD, 'none', true],
    ['HEAD with a length', length('5'), HEAD, 'none', true],
    ['HEAD and chunked', coding('chunked'), HEAD, 'none', true],
    ['HEAD and close', [...length('5'), ...connection('close')], HEAD, 'none', false],
    ['HEAD in HTTP/1.0', length('5'), { ...HEAD, ...OLD }, 'none', false],
    ['head in lower case, which is another method', length('5'), { method: 'head' }, 5, true],
    ['a length in HTTP/1.0', length('5'), OLD, 5, false],
    ['a length in HTTP/1.0 with keep-alive', [...length('5'), ...connection('Keep-Alive')], OLD, 5, true],
    ['a length in HTTP/1.0 with close', [...length('5'), ...connection('close')], OLD, 5, false],
    // RFC 9112 section 9.3: close is looked at first, in every version.
    ['a length in HTTP/1.0 with both', [...length('5'), ...connection('keep-alive, close')], OLD, 5, false],
    ['neither in HTTP/1.0', [], OLD, 'until close', false],
    ['neither in HTTP/1.0 with keep-alive', connection('keep-alive'), OLD, 'until close', false],
    ['status 200', length('1'), { status: 200 }, 1, true],
    ['status 299', length('1'), { status: 299 }, 1, true],
    ['status 599', length('1'), { status: 599 }, 1, true],
    ['Content_Length, which is another field', [...length('5'), 'Content_Length', '6'], {}, 5, true],
  ];
  for (const [what, headers, request, body, persists] of rows) {
    test(`${what}: ${body}, ${persists ? 'persists' : 'closes'}`, () => {
      const head = headOf(headers, request);
      const unknown = body === 'chunked' || body === 'until close';
      assert.equal(head.bodyLength, unknown ? UNKNOWN_LENGTH : body === 'none' ? 0 : body);
      assert.deepEqual([head.chunked, head.persistent], [body === 'chunked', persists]);
      assert.deepEqual([head.status, head.reason], [request.status ?? 200, 'Reason']);
    });
  }
});

describe('an answer that is refused', () => {
  const ambiguous: readonly (readonly [what: string, headers: string[], request?: Request])[] = [
    ['a length and chunked', [...length('5'), ...coding('chunked')]],
    ['chunked and a length', [...coding('chunked'), ...length('5')]],
    ['two equal lengths', [...length('5'), ...length('5')]],
    ['two lengths', [...length('5'), ...length('6')]],
    ['a list of lengths', length('5, 5')],
    ['an empty length', length('')],
    ['a negative length', length('-1')],
    ['a length with a sign', length('+1')],
    ['a length with a leading zero', length('05')],
    ['a length in hexadecimal', length('0x5')],
    ['a length beyond 2^53', length('9007199254740992')],
    ['chunked twice', [...coding('chunked'), ...coding('chunked')]],
    ['gzip, chunked', coding('gzip, chunked')],
    ['gzip', coding('gzip')],
    ['identity', coding('identity')],
    ['an empty coding', coding('')],
    ['chunked with a comma', coding('chunked,')],
    ['chunked with a parameter', coding('chunked;x')],
    ['chunked in HTTP/1.0', coding('chunked'), OLD],
    ['HEAD with a bad length', length('x'), HEAD],
    ['HEAD with both', [...length('5'), ...coding('chunked')], HEAD],
    ['304 with two lengths', [...length('5'), ...length('6')], { status: 304 }],
    ['204 with a bad length', length('x'), { status: 204 }],
    ['205 with a body', length('5'), { status: 205 }],
  ];
  for (const [what, headers, request] of ambiguous) {
    test(`for its length: ${what}`, () => assert.equal(read(headers, request), 'upstream_ambiguous'));
  }

  test('for a length that Connection names, so that it never reaches the client', () => {
    // Else a body of known length goes to the client with no length at all, on a connection that stays open.
    const result = read([...length('5'), ...connection('Content-Length')]);
    const told = typeof result === 'string' ? result : result.headers.join(': ');
    assert.ok(told === 'upstream_ambiguous' || told === 'Content-Length: 5', told || 'a body without a length');
  });

  const malformed: readonly Request[] = [
    ...[0, 99, 100, 101, 199, 600, 888, 999].map((status) => ({ status })),
    ...['0.9', '1.2', '2.0', '3.0', ''].map((version) => ({ version })),
  ];
  for (const request of malformed) {
    test(`for its status line: ${JSON.stringify(request)}`, () => {
      assert.equal(read(length('5'), request), 'upstream_malformed');
    });
  }
});

describe('the head that the client gets', () => {
  test('is the end-to-end fields, byte for byte', () => {
    const headers = [
      'Server',
      'x',
      'Set-Cookie',
      'a=b',
      'set-cookie',
      'c=d',
      'X-A',
      '\xe9 ',
      'Content-Length',
      '5',
      'Date',
      '',
    ];
    assert.deepEqual(headOf(headers).headers, headers);
  });

  test('is without hop-by-hop fields and those that Connection names', () => {
    const headers = [
      ...['Connection', 'keep-alive, X-Hop', 'Keep-Alive', 'timeout=5', 'X-Hop', '1', 'Upgrade', 'h2c', 'TE', 'x'],
      ...['Proxy-Authenticate', 'Basic', 'Proxy-Connection', 'close', 'Trailer', 'X', 'A', 'b', 'Content-Length', '5'],
    ];
    assert.deepEqual(headOf(headers).headers, ['A', 'b', 'Content-Length', '5']);
  });

  test('has Trailer where trailers can follow, and never the coding', () => {
    assert.deepEqual(headOf(['Trailer', 'X', ...coding('chunked')]).headers, ['Trailer', 'X']);
    assert.deepEqual(headOf(['Trailer', 'X', ...coding('chunked')], HEAD).headers, []);
  });

  test('has the length of what HEAD and 304 leave out, and none in 204', () => {
    assert.deepEqual(headOf(length('5'), HEAD).headers, length('5'));
    assert.deepEqual(headOf(length('5'), { status: 304 }).headers, length('5'));
    assert.deepEqual(headOf(length('0'), { status: 204 }).headers, []);
  });

  test('keeps what the app says of forwarding: it is not the client that says it', () => {
    assert.deepEqual(headOf(['X-Request-Id', 'i', 'X-Forwarded-For', '1', ...length('0')]).headers.slice(0, 2), [
      'X-Request-Id',
      'i',
    ]);
  });
});

describe('how long the app keeps an idle connection', () => {
  const rows: readonly (readonly [headers: string[], ms: number | undefined])[] = [
    [[], undefined],
    [['Keep-Alive', 'timeout=5'], 5000],
    [['keep-alive', 'timeout=5, max=100'], 5000],
    [['Keep-Alive', 'max=100, timeout=5'], 5000],
    [['Keep-Alive', 'max=100,timeout=5'], 5000],
    [['Keep-Alive', 'TimeOut = 5'], 5000],
    [['Keep-Alive', 'timeout="5"'], 5000],
    [['Keep-Alive', 'timeout=0'], 0],
    [['Keep-Alive', 'max=100'], undefined],
    [['Keep-Alive', 'timeout=x'], undefined],
    [['Keep-Alive', 'timeout=-5'], undefined],
    [['Keep-Alive', 'xtimeout=5'], undefined],
    [['Keep-Alive', ''], undefined],
    [['Proxy-Connection', 'timeout=5'], undefined],
    [['X-Keep', 'timeout=5'], undefined],
  ];
  for (const [headers, ms] of rows) {
    test(`is ${ms} for ${headers.join(': ') || 'no word of it'}`, () => assert.equal(headOf(headers).keepAliveMs, ms));
  }
});

describe('a stream of events', () => {
  const rows: readonly (readonly [headers: string[], stream: boolean])[] = [
    [['Content-Type', 'text/event-stream'], true],
    [['content-type', 'text/event-stream; charset=utf-8'], true],
    [['CONTENT-TYPE', 'text/event-stream;charset=utf-8'], true],
    // RFC 9110 section 8.3.1: the type is case-insensitive.
    [['Content-Type', 'Text/Event-Stream'], true],
    [['Content-Type', 'text/plain'], false],
    [['Content-Type', 'application/json; x=text/event-stream'], false],
    [['Content-Type', 'text/event-streams'], false],
    [['X-Media-Type', 'text/event-stream'], false],
    [[], false],
  ];
  for (const [headers, stream] of rows) {
    test(`is ${stream ? '' : 'not '}${headers.join(': ') || 'an answer without a type'}`, () => {
      assert.equal(headOf(headers).stream, stream);
    });
  }
});

describe('an error of the socket to the app', () => {
  const rows: readonly (readonly [code: string, before: Reason])[] = [
    ['ECONNREFUSED', 'upstream_refused'],
    ['ENOENT', 'upstream_refused'],
    ['EACCES', 'upstream_refused'],
    ['EADDRNOTAVAIL', 'upstream_refused'],
    ['EHOSTUNREACH', 'upstream_refused'],
    ['ENETUNREACH', 'upstream_refused'],
    ['ENOTFOUND', 'upstream_unresolved'],
    ['EAI_AGAIN', 'upstream_unresolved'],
    ['ETIMEDOUT', 'upstream_connect_timeout'],
    ['ECONNRESET', 'upstream_closed'],
    ['EPIPE', 'upstream_closed'],
    ['EWHATEVER', 'upstream_closed'],
  ];
  for (const [code, before] of rows) {
    const error = Object.assign(new Error(code), { code });
    test(`${code} is ${before} before the connection, and upstream_closed after it`, () => {
      assert.equal(socketRejection(error, false)?.reason, before);
      assert.equal(socketRejection(error, true).reason, 'upstream_closed');
    });
  }

  test('that never was is upstream_closed', () => {
    assert.equal(socketRejection(undefined, false).reason, 'upstream_closed');
    assert.equal(socketRejection(undefined, true).reason, 'upstream_closed');
  });
});
