// What the requestRules refuses, and for which reason, and what it settles for the requests that pass.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Reason } from '../../../src/errors.ts';
import { type Protocol, UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { requestRules } from '../../../src/pipeline/request-rules.ts';
import { FakeExchange, type FakeRequest } from './fake-exchange.ts';

type Row = readonly [what: string, request: FakeRequest, expected: Reason | 'passes'];

const HOST = ['Host', 'a.example'];
const get = (...headers: string[]): FakeRequest => ({ headers: [...HOST, ...headers] });
const post = (...headers: string[]): FakeRequest => ({ method: 'POST', headers: [...HOST, ...headers] });
const old = (...headers: string[]): FakeRequest => ({ protocol: 'http/1.0', method: 'POST', headers });
const to = (target: string, method = 'GET', host = 'a.example'): FakeRequest => ({
  method,
  target,
  headers: ['Host', host],
});
const hosts = (...values: string[]): FakeRequest => ({ headers: values.flatMap((value) => ['Host', value]) });
const upgrade = (...headers: string[]): FakeRequest => get('Connection', 'Upgrade', ...headers);
const KEY = ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='];
const websocket = (...headers: string[]): FakeRequest => upgrade('Upgrade', 'websocket', ...headers);

const framing: Row[] = [
  ['a body of known length', post('Content-Length', '5'), 'passes'],
  ['a body of no bytes', post('Content-Length', '0'), 'passes'],
  ['a POST without a body', post(), 'passes'],
  ['a GET with a body', get('Content-Length', '5'), 'passes'],
  ['a DELETE with a chunked body', { ...get('Transfer-Encoding', 'chunked'), method: 'DELETE' }, 'passes'],
  ['a chunked body', post('Transfer-Encoding', 'chunked'), 'passes'],
  ['a chunked body in capitals', post('transfer-encoding', 'CHUNKED'), 'passes'],
  ['a length and chunked (CL.TE)', post('Content-Length', '5', 'Transfer-Encoding', 'chunked'), 'bad_framing'],
  ['chunked and a length (TE.CL)', post('Transfer-Encoding', 'chunked', 'Content-Length', '5'), 'bad_framing'],
  ['chunked and a length of 0', post('Transfer-Encoding', 'chunked', 'Content-Length', '0'), 'bad_framing'],
  ['a length and an unknown coding', post('Content-Length', '5', 'Transfer-Encoding', 'x'), 'bad_framing'],
  ['two equal lengths', post('Content-Length', '5', 'Content-Length', '5'), 'bad_framing'],
  ['two different lengths', post('Content-Length', '5', 'content-length', '6'), 'bad_framing'],
  ['a list of equal lengths', post('Content-Length', '5, 5'), 'bad_framing'],
  ['an empty length (CVE-2023-40225)', post('Content-Length', ''), 'bad_framing'],
  ['a length with a sign', post('Content-Length', '+5'), 'bad_framing'],
  ['a negative length', post('Content-Length', '-1'), 'bad_framing'],
  ['a length with a leading zero', post('Content-Length', '05'), 'bad_framing'],
  ['a hexadecimal length', post('Content-Length', '0x5'), 'bad_framing'],
  ['a length with a space in it (CVE-2018-7159)', post('Content-Length', '1 2'), 'bad_framing'],
  ['a length beyond 2^53', post('Content-Length', '9007199254740992'), 'bad_framing'],
  ['chunked twice', post('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'), 'bad_framing'],
  ['chunked, chunked', post('Transfer-Encoding', 'chunked, chunked'), 'bad_framing'],
  ['gzip, chunked', post('Transfer-Encoding', 'gzip, chunked'), 'bad_framing'],
  ['chunked, identity', post('Transfer-Encoding', 'chunked, identity'), 'bad_framing'],
  ['identity', post('Transfer-Encoding', 'identity'), 'bad_framing'],
  ['gzip', post('Transfer-Encoding', 'gzip'), 'bad_framing'],
  ['an empty coding', post('Transfer-Encoding', ''), 'bad_framing'],
  ['an empty coding and chunked', post('Transfer-Encoding', '', 'Transfer-Encoding', 'chunked'), 'bad_framing'],
  ['chunked with a comma', post('Transfer-Encoding', 'chunked,'), 'bad_framing'],
  ['chunked with a parameter', post('Transfer-Encoding', 'chunked;q=1'), 'bad_framing'],
  ['xchunked', post('Transfer-Encoding', 'xchunked'), 'bad_framing'],
  ['chunked in quotes', post('Transfer-Encoding', '"chunked"'), 'bad_framing'],
  ['chunked with a vertical tab', post('Transfer-Encoding', '\x0bchunked'), 'bad_framing'],
  ['chunked with a no-break space', post('Transfer-Encoding', '\xa0chunked'), 'bad_framing'],
  ['chunked in HTTP/1.0', old(...HOST, 'Transfer-Encoding', 'chunked'), 'bad_framing'],
  ['a length in HTTP/1.0', old(...HOST, 'Content-Length', '5'), 'passes'],
  ['Content_Length beside nothing', post('Content_Length', '5'), 'bad_framing'],
  ['Content_Length beside a length', post('Content-Length', '5', 'content_length', '6'), 'bad_framing'],
  ['Content_Length beside chunked', post('Transfer-Encoding', 'chunked', 'CONTENT_LENGTH', '5'), 'bad_framing'],
  ['Transfer_Encoding beside nothing', post('Transfer_Encoding', 'chunked'), 'bad_framing'],
  ['Transfer_Encoding beside a length', post('Content-Length', '5', 'transfer_encoding', 'chunked'), 'bad_framing'],
];

const hostRules: Row[] = [
  ['one Host', hosts('a.example'), 'passes'],
  ['a Host with a port', hosts('a.example:8443'), 'passes'],
  ['a Host in capitals', hosts('A.Example'), 'passes'],
  ['an IPv4 Host', hosts('192.0.2.1'), 'passes'],
  ['an IPv6 Host', hosts('[2001:db8::1]:443'), 'passes'],
  ['no Host', { headers: [] }, 'bad_host'],
  ['two Hosts', hosts('a.example', 'b.example'), 'bad_host'],
  ['two equal Hosts', hosts('a.example', 'a.example'), 'bad_host'],
  ['an empty Host', hosts(''), 'bad_host'],
  ['an empty Host and a good one', hosts('', 'a.example'), 'bad_host'],
  ['a list of Hosts', hosts('a.example, b.example'), 'bad_host'],
  ['a Host with user info', hosts('u@a.example'), 'bad_host'],
  ['a Host with a path', hosts('a.example/x'), 'bad_host'],
  ['a Host with a scheme', hosts('https://a.example'), 'bad_host'],
  ['a Host with a space', hosts('a.example b'), 'bad_host'],
  ['a Host with a port beyond 65535', hosts('a.example:65536'), 'bad_host'],
  ['a Host with a port of letters', hosts('a.example:x'), 'bad_host'],
  ['an IPv6 Host without brackets', hosts('2001:db8::1'), 'bad_host'],
  ['a Host beyond ASCII', hosts('\xfc.example'), 'bad_host'],
  ['no Host in HTTP/1.0', old(), 'passes'],
  ['two Hosts in HTTP/1.0', old('Host', 'a', 'Host', 'a'), 'bad_host'],
  ['an empty Host in HTTP/1.0', old('Host', ''), 'bad_host'],
];

const targets: Row[] = [
  ['a path', to('/a/b'), 'passes'],
  ['a path with two slashes', to('//evil.example/x'), 'passes'],
  ['a path with dots', to('/../%2e%2e/a'), 'passes'],
  ['a query that decodes to nothing', to('/?a=%zz&b;c=d'), 'passes'],
  ['a path with a fragment (CVE-2023-45539)', to('/a#b'), 'bad_target'],
  ['a query with a fragment', to('/a?b#c'), 'bad_target'],
  ['* with OPTIONS', to('*', 'OPTIONS'), 'passes'],
  ['* with GET', to('*'), 'bad_target'],
  ['** with OPTIONS', to('**', 'OPTIONS'), 'bad_target'],
  ['a path without its slash', to('a'), 'bad_target'],
  ['a query alone', to('?a'), 'bad_target'],
  ['an authority', to('a.example:443'), 'bad_target'],
  ['an absolute form', to('http://a.example/b?c'), 'passes'],
  ['an absolute https form', to('https://a.example/b'), 'passes'],
  ['an absolute form in capitals', to('HTTP://A.EXAMPLE/b'), 'passes'],
  ['an absolute form with the port of the Host', to('http://a.example:81/', 'GET', 'a.example:81'), 'passes'],
  ['an absolute form without a path', to('http://a.example'), 'passes'],
  ['an absolute form of another host', to('http://b.example/'), 'bad_host'],
  ['an absolute form of another port', to('http://a.example:81/'), 'bad_host'],
  ['an absolute form with user info', to('http://u@a.example/'), 'bad_target'],
  ['an absolute form with a fragment', to('http://a.example/#b'), 'bad_target'],
  ['an absolute form with a backslash', to('http://a.example\\@b.example/'), 'bad_target'],
  ['an absolute form without an authority', to('http:///b'), 'bad_target'],
  ['an absolute form of another scheme', to('ftp://a.example/'), 'bad_target'],
  ['an absolute form without a Host', { target: 'http://a.example/', headers: [] }, 'bad_host'],
  ['an absolute form and two Hosts', { ...hosts('a.example', 'b.example'), target: 'http://a.example/' }, 'bad_host'],
];

const methods: Row[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'BREW', 'A'].map(
    (method): Row => [`the method ${method}`, { ...get(), method }, 'passes'],
  ),
  ['CONNECT to a path', { ...get(), method: 'CONNECT' }, 'bad_method'],
  ['CONNECT to an authority', to('a.example:443', 'CONNECT'), 'bad_method'],
  ['TRACE', { ...get(), method: 'TRACE' }, 'bad_method'],
  ...['get', 'Get', 'GETx', 'connect', 'trace', 'm-search'].map(
    (method): Row => [`the method ${method}, which an app might take for another`, { ...get(), method }, 'bad_method'],
  ),
];

const connections: Row[] = [
  ['Connection: close', get('Connection', 'close'), 'passes'],
  ['a named field', get('Connection', 'X-A', 'X-A', '1'), 'passes'],
  ['a named field of ours', get('Connection', 'X-Forwarded-For, X-Request-Id'), 'passes'],
  ['an empty Connection', get('Connection', ''), 'passes'],
  ['Host named', get('Connection', 'Host'), 'bad_connection'],
  [
    'Content-Length named (CVE-2024-45410)',
    post('Content-Length', '5', 'Connection', 'close, content-length'),
    'bad_connection',
  ],
  ['Cookie named', get('Connection', 'COOKIE'), 'bad_connection'],
  ['Authorization named', get('Connection', 'Authorization'), 'bad_connection'],
  ['Host named in a second field', get('Connection', 'close', 'Connection', ',host'), 'bad_connection'],
  ['Host named in HTTP/1.0 without a Host', old('Connection', 'host'), 'bad_connection'],
];

const expectations: Row[] = [
  ['100-continue', post('Expect', '100-continue', 'Content-Length', '5'), 'passes'],
  ['100-continue in capitals', post('Expect', '100-CONTINUE', 'Content-Length', '5'), 'passes'],
  ['100-continue without a body', get('Expect', '100-continue'), 'passes'],
  ['another expectation', post('Expect', '200-ok'), 'bad_expect'],
  ['an empty expectation', post('Expect', ''), 'bad_expect'],
  ['two expectations in one', post('Expect', '100-continue, x'), 'bad_expect'],
  ['100-continue twice', post('Expect', '100-continue', 'Expect', '100-continue'), 'bad_expect'],
  ['any expectation in HTTP/1.0', old(...HOST, 'Expect', '200-ok'), 'passes'],
];

const upgrades: Row[] = [
  ['a WebSocket handshake', websocket(...KEY), 'passes'],
  ['… in other letter cases', get('connection', 'keep-alive, uPGRADE', 'upgrade', 'WebSocket', ...KEY), 'passes'],
  ['a WebSocket handshake with a length of 0', websocket(...KEY, 'Content-Length', '0'), 'passes'],
  ['a WebSocket handshake without a key', websocket(), 'bad_upgrade'],
  ['a WebSocket handshake with two keys', websocket(...KEY, ...KEY), 'bad_upgrade'],
  ['a WebSocket handshake by POST', { ...websocket(...KEY), method: 'POST' }, 'bad_upgrade'],
  ['a WebSocket handshake with a body (CVE-2026-58055)', websocket(...KEY, 'Content-Length', '5'), 'bad_upgrade'],
  ['a WebSocket handshake with a chunked body', websocket(...KEY, 'Transfer-Encoding', 'chunked'), 'bad_upgrade'],
  ['another protocol', upgrade('Upgrade', 'raw/1.0'), 'passes'],
  ['another protocol with a body', upgrade('Upgrade', 'raw', 'Content-Length', '5'), 'bad_upgrade'],
  [
    'an offer that is ignored, with a body',
    { ...upgrade('Upgrade', 'h2c', 'Content-Length', '5'), method: 'POST' },
    'passes',
  ],
];

const h2 = (authority: string, ...headers: string[]): FakeRequest => ({ protocol: 'h2', authority, headers });
const h2Body = (...headers: string[]): FakeRequest => ({ ...h2('a.example', ...headers), bodyLength: UNKNOWN_LENGTH });
const http2: Row[] = [
  ['an authority', h2('a.example'), 'passes'],
  ['an authority with a port', h2('a.example:8443'), 'passes'],
  ['an authority and the same Host', h2('a.example', 'host', 'a.example'), 'passes'],
  ['an authority and another Host', h2('a.example', 'host', 'b.example'), 'bad_host'],
  ['an authority and an empty Host', h2('a.example', 'host', ''), 'bad_host'],
  ['a Host alone', { protocol: 'h2', headers: ['host', 'a.example'] }, 'passes'],
  ['neither', { protocol: 'h2', headers: [] }, 'bad_host'],
  ['an empty authority', h2(''), 'bad_host'],
  ['an authority with user info', h2('u@a.example'), 'bad_host'],
  ['an authority with a path', h2('a.example/b'), 'bad_host'],
  ['a fragment', { ...h2('a.example'), target: '/#b' }, 'bad_target'],
  ['a target without its slash', { ...h2('a.example'), target: 'b' }, 'bad_target'],
  ['a body', h2Body(), 'passes'],
  ['a body and its length', h2Body('content-length', '5'), 'passes'],
  ['no body and a length of 0', h2('a.example', 'content-length', '0'), 'passes'],
  ['no body and a length', h2('a.example', 'content-length', '5'), 'bad_framing'],
  ['a body and two lengths', h2Body('content-length', '5', 'content-length', '5'), 'bad_framing'],
  ['a body and a bad length', h2Body('content-length', '+5'), 'bad_framing'],
  ['a body and content_length', h2Body('content_length', '5'), 'bad_framing'],
  ['a transfer coding', h2Body('transfer-encoding', 'chunked'), 'malformed_request'],
  ['Connection', h2('a.example', 'connection', 'keep-alive'), 'malformed_request'],
  ['Upgrade', h2('a.example', 'upgrade', 'websocket'), 'malformed_request'],
  ['CONNECT', { ...h2('a.example:443'), method: 'CONNECT' }, 'bad_method'],
  ['another expectation', h2Body('expect', 'x'), 'bad_expect'],
];

const groups = { framing, hostRules, targets, methods, connections, expectations, upgrades, http2 };
for (const [group, rows] of Object.entries(groups)) {
  describe(`the requestRules, ${group}`, () => {
    for (const [what, request, expected] of rows) {
      test(`${what}: ${expected}`, () => {
        const exchange = new FakeExchange(request);
        const before = [...exchange.headers];
        assert.equal(requestRules.apply(exchange)?.reason ?? 'passes', expected);
        assert.deepEqual(exchange.headers, before, 'it touches no field');
        assert.deepEqual(exchange.calls, [], 'it answers nothing');
      });
    }
  });
}

test('the first rule that is broken names the reason', () => {
  const exchange = new FakeExchange({ method: 'TRACE', target: 'x', headers: ['Content_Length', '1', 'Expect', 'x'] });
  assert.equal(requestRules.apply(exchange)?.reason, 'bad_framing');
});

function settled(request: FakeRequest): FakeExchange {
  const exchange = new FakeExchange(request);
  assert.equal(requestRules.apply(exchange), undefined);
  return exchange;
}

describe('what the requestRules settles', () => {
  test('the length of the body is that of Content-Length, unknown where it is chunked, and else 0', () => {
    assert.equal(settled(post('Content-Length', '5')).bodyLength, 5);
    assert.equal(settled(post('Content-Length', '0')).bodyLength, 0);
    assert.equal(settled(post('Content-Length', '9007199254740991')).bodyLength, Number.MAX_SAFE_INTEGER);
    assert.equal(settled(post('Transfer-Encoding', 'Chunked')).bodyLength, UNKNOWN_LENGTH);
    assert.equal(settled(post()).bodyLength, 0);
  });

  test('the host is the one that the client wrote, and empty where it wrote none', () => {
    assert.equal(settled(hosts('A.Example:8443')).host, 'A.Example:8443');
    assert.equal(settled(old()).host, '');
    assert.equal(settled(to('http://A.EXAMPLE/', 'GET', 'a.Example')).host, 'a.Example');
  });

  const targetRows: readonly (readonly [request: FakeRequest, target: string])[] = [
    [to('/'), '/'],
    [to('/a//b/../c?d=%2F&e;f'), '/a//b/../c?d=%2F&e;f'],
    [to('//a'), '//a'],
    [to('*', 'OPTIONS'), '*'],
    [to('http://a.example/b?c'), '/b?c'],
    [to('https://a.example?c'), '/?c'],
    [to('http://a.example'), '/'],
    [to('http://a.example/', 'OPTIONS'), '/'],
    // RFC 9112 section 3.2.4: the last proxy must send * for an absolute form without path and query.
    [to('http://a.example', 'OPTIONS'), '*'],
  ];
  for (const [request, target] of targetRows) {
    test(`the target of ${request.method} ${request.target} is ${target}`, () => {
      assert.equal(settled(request).target, target);
    });
  }

  const upgradeRows: readonly (readonly [what: string, request: FakeRequest, upgrade: string | undefined])[] = [
    ['none asked for', get(), undefined],
    ['a WebSocket, as it was written', upgrade('Upgrade', 'WebSocket', ...KEY), 'WebSocket'],
    ['another protocol with a version', upgrade('Upgrade', 'IRC/6.9'), 'IRC/6.9'],
    ['no Connection: Upgrade', get('Upgrade', 'websocket', ...KEY), undefined],
    ['Connection without it', get('Connection', 'close', 'Upgrade', 'websocket'), undefined],
    ['Connection: Upgrade and no protocol', upgrade(), undefined],
    ['an empty protocol', upgrade('Upgrade', ''), undefined],
    ['a list of protocols', upgrade('Upgrade', 'websocket, h2c'), undefined],
    ['two fields', upgrade('Upgrade', 'websocket', 'Upgrade', 'websocket', ...KEY), undefined],
    ['h2c', upgrade('Upgrade', 'h2c', 'HTTP2-Settings', 'AAMAAABkAAQAAP__'), undefined],
    ['H2C', upgrade('Upgrade', 'H2C'), undefined],
    ['h2', upgrade('Upgrade', 'h2'), undefined],
    ['h2c with a version', upgrade('Upgrade', 'h2c/1'), undefined],
    ['HTTP/2.0', upgrade('Upgrade', 'HTTP/2.0'), undefined],
    ['HTTP alone', upgrade('Upgrade', 'HTTP'), undefined],
    ['TLS/1.0', upgrade('Upgrade', 'TLS/1.0'), undefined],
    ['TLS alone', upgrade('Upgrade', 'tls'), undefined],
    ['a protocol with a space', upgrade('Upgrade', 'web socket'), undefined],
    ['a protocol with two slashes', upgrade('Upgrade', 'a/b/c'), undefined],
    ['a protocol that begins as one that is refused', upgrade('Upgrade', 'h2cx'), 'h2cx'],
    ['a WebSocket in HTTP/1.0', { ...websocket(...KEY), protocol: 'http/1.0' }, undefined],
    ['a WebSocket in HTTP/1.0 that would be invalid', { ...websocket(), protocol: 'http/1.0' }, undefined],
  ];
  for (const [what, request, expected] of upgradeRows) {
    test(`the upgrade is ${expected}: ${what}`, () => assert.equal(settled(request).upgrade, expected));
  }

  const persistence: readonly (readonly [protocol: Protocol, connection: string[], persistent: boolean])[] = [
    ['http/1.1', [], true],
    ['http/1.1', [''], true],
    ['http/1.1', ['keep-alive'], true],
    ['http/1.1', ['close'], false],
    ['http/1.1', ['Close'], false],
    ['http/1.1', ['x, CLOSE'], false],
    ['http/1.1', ['keep-alive, close'], false],
    ['http/1.1', ['keep-alive', 'close'], false],
    ['http/1.1', ['close', 'keep-alive'], false],
    ['http/1.1', ['closed'], true],
    ['http/1.0', [], false],
    ['http/1.0', [''], false],
    ['http/1.0', ['close'], false],
    ['http/1.0', ['keep-alive'], true],
    ['http/1.0', ['Keep-Alive'], true],
    ['http/1.0', ['x', 'keep-alive'], true],
    // RFC 9112 section 9.3: close is looked at first, in every version.
    ['http/1.0', ['keep-alive, close'], false],
    ['http/1.0', ['close', 'keep-alive'], false],
  ];
  for (const [protocol, values, persistent] of persistence) {
    test(`${protocol} with Connection ${JSON.stringify(values)} ${persistent ? 'persists' : 'does not persist'}`, () => {
      const headers = [...HOST, ...values.flatMap((value) => ['Connection', value])];
      assert.equal(settled({ protocol, headers }).persistent, persistent);
    });
  }

  test('in HTTP/2 the host is the authority, and the length is told or found as the body comes', () => {
    assert.equal(settled(h2('A.example:1', 'host', 'A.example:1')).host, 'A.example:1');
    assert.equal(settled({ protocol: 'h2', headers: ['host', 'a'] }).host, 'a');
    assert.equal(settled(h2Body()).bodyLength, UNKNOWN_LENGTH);
    assert.equal(settled(h2Body('content-length', '5')).bodyLength, 5);
    assert.equal(settled(h2('a')).bodyLength, 0);
  });

  test('nothing of one request shows in the next', () => {
    settled(post('Content-Length', '5', 'Connection', 'close, x', 'Expect', '100-continue'));
    const next = settled(get());
    assert.deepEqual([next.bodyLength, next.persistent, next.upgrade], [0, true, undefined]);
  });
});
