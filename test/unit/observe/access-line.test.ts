// The access line's texts: a client chooses them, and no line grows with what it chose.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import { accessLine } from '../../../src/observe/access-line.ts';
import { FakeExchange, type FakeRequest } from '../pipeline/fake-exchange.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function lineOf(request: FakeRequest, host = 'example.com') {
  const exchange = new FakeExchange(request);
  exchange.host = host;
  return JSON.parse(`{${accessLine(exchange, 12.34567).text}}`);
}

describe('the access line', () => {
  test('holds path, host and method as they came, where they are of a sane length', () => {
    const { method, path, host, durationMs } = lineOf({ method: 'PROPFIND', target: `/${'a'.repeat(1023)}?query` });
    assert.deepEqual([method, path, host, durationMs], ['PROPFIND', `/${'a'.repeat(1023)}`, 'example.com', 12.346]);
  });

  test('cuts a long path, a long host and a long method, and says so', () => {
    const { method, path, host } = lineOf(
      { method: 'M'.repeat(8000), target: `/${'a'.repeat(8000)}` },
      'h'.repeat(8000),
    );
    assert.deepEqual([path.length, path.at(-1)], [1025, '…']);
    assert.deepEqual([host.length, host.at(-1)], [261, '…']);
    assert.deepEqual([method.length, method.at(-1)], [33, '…']);
  });

  test('cuts the name that was asked for and the name of the client', () => {
    const tls = { version: 'TLSv1.3', cipher: 'c', resumed: false, sni: 's'.repeat(8000), client: 'u'.repeat(8000) };
    const line = lineOf({ connection: { tls } });
    assert.deepEqual([line.tls?.sni.length, line.tls?.client?.length], [261, 513]);
    assert.deepEqual({ ...line.tls, sni: tls.sni, client: tls.client }, tls);
  });

  test('takes the facts of TLS as they are where they are short', () => {
    const tls = { version: 'TLSv1.3', cipher: 'c', resumed: false, sni: 'example.com' };
    assert.deepEqual(lineOf({ connection: { tls: { ...tls, client: undefined } } }).tls, tls);
    const known = { ...tls, resumed: true, client: 'CN=web, O="Web & Söhne"' };
    assert.deepEqual(lineOf({ connection: { tls: known } }).tls, known);
  });

  test('has all that is known of a request, in one order, and nothing that is not', () => {
    const exchange = new FakeExchange({ target: '/a?b', headers: ['traceparent', TRACE] });
    const rejection = REJECTIONS.upstream_refused;
    const tls = { version: 'TLSv1.2', cipher: 'c', resumed: false, sni: '', client: undefined };
    const facts = { host: 'a.example', status: 502, bytesIn: 1, bytesOut: 1e21, upstreamMs: 0.0004, requestId: 'id' };
    Object.assign(exchange, facts, { connection: { ...exchange.connection, tls }, rejection });
    assert.deepEqual(Object.entries(JSON.parse(`{${accessLine(exchange, 7, 8443).text}}`)), [
      ['method', 'GET'],
      ['path', '/a'],
      ['status', 502],
      ['protocol', exchange.protocol],
      ['host', 'a.example'],
      ['port', 8443],
      ['client', exchange.client],
      ['bytesIn', 1],
      ['bytesOut', 1e21],
      ['durationMs', 7],
      ['upstreamMs', 0],
      ['requestId', 'id'],
      ['traceparent', TRACE],
      ['tls', { version: 'TLSv1.2', cipher: 'c', sni: '', resumed: false }],
      ['reason', rejection.reason],
      ['side', rejection.side],
    ]);
    assert.deepEqual(Object.keys(lineOf({ connection: { tls: undefined } })), [
      ...['method', 'path', 'status', 'protocol', 'host', 'client', 'bytesIn', 'bytesOut', 'durationMs', 'requestId'],
    ]);
  });

  test('is JSON, and says the same, whatever was sent', () => {
    const all = Array.from({ length: 0x300 }, (_, code) => String.fromCharCode(code));
    for (const text of [...all, '\ud800', '\udfff\ud800', '\u2028', '"\\"', '\\u0041', '","side":"client"']) {
      const target = `/${text.replaceAll('?', '')}`;
      const { method, path, host } = lineOf({ method: text, target }, text);
      assert.deepEqual([method, path, host], [text, target, text]);
    }
  });

  test('is of a few kilobytes at most, whatever was sent', () => {
    const long = 'x'.repeat(100_000);
    const tls = { version: 'TLSv1.3', cipher: 'c', resumed: false, sni: long, client: long };
    const headers = ['traceparent', long];
    const line = lineOf({ method: long, target: `/${long}`, headers, connection: { tls } }, long);
    assert.ok(JSON.stringify(line).length < 4096);
  });
});

describe('traceparent (W3C Trace Context) is logged', () => {
  const loggedOf = (value: string): string | undefined => lineOf({ headers: ['Traceparent', value] }).traceparent;

  test('where it is well-formed', () => {
    assert.equal(loggedOf(TRACE), TRACE);
    assert.equal(lineOf({}).traceparent, undefined);
  });

  test('of a later version by its first four fields', () => {
    const later = TRACE.replace(/^00/, 'cc');
    assert.equal(loggedOf(later), later);
    assert.equal(loggedOf(`${later}-what-comes-${'x'.repeat(8000)}`), later);
  });

  const trace = '0af7651916cd43dd8448eb211c80319c';
  for (const [what, value] of [
    ['is empty', ''],
    ['is longer than version 00 has it', `${TRACE}-more`],
    ['has another character behind its last field', `${TRACE.replace(/^00/, 'cc')}.x`],
    ['is cut off', TRACE.slice(0, -1)],
    ['is in upper case', TRACE.toUpperCase()],
    ['has version ff', TRACE.replace(/^00/, 'ff')],
    ['has no trace', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['has no parent', `00-${trace}-${'0'.repeat(16)}-01`],
    ['has no hexadecimal digits', TRACE.replace('a', 'g')],
    ['is preceded by a blank', ` ${TRACE}`],
    ['is text of a client', 'x'.repeat(8000)],
  ] as const) {
    test(`not where it ${what}`, () => assert.equal(loggedOf(value), undefined));
  }
});
