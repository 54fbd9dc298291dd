// What a trusted proxy said is kept where it is sane, and appended to; ours stand in for the rest.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { AddressList, type Range, readRange } from '../../../src/net/addresses.ts';
import { forwarded } from '../../../src/pipeline/forwarded.ts';
import { valuesOf } from '../../support/response.ts';
import { FakeExchange } from './fake-exchange.ts';

const policy = forwarded('app.local:3000', new AddressList([readRange('10.0.0.0/8') as Range]));

function apply(headers: RawHeaders, peer = '10.0.0.1', host = 'a.example'): FakeExchange {
  const exchange = new FakeExchange({ headers: ['Host', host, ...headers], connection: { remoteAddress: peer } });
  exchange.host = host;
  assert.equal(policy.apply(exchange), undefined);
  return exchange;
}

function tells(what: string, headers: RawHeaders, wanted: Record<string, string[]>, host?: string): void {
  test(what, () => {
    const exchange = apply(headers, '10.0.0.1', host);
    for (const [name, values] of Object.entries(wanted)) assert.deepEqual(valuesOf(exchange.sent, name), values, name);
  });
}

describe('X-Forwarded-For of a trusted proxy', () => {
  const name = 'X-Forwarded-For';
  tells('is appended to', [name, '192.0.2.7'], { [name]: ['192.0.2.7, 10.0.0.1'] });
  tells('is one field at the end', [name, 'a, b', 'x-forwarded-for', 'c'], { [name]: ['a, b, c, 10.0.0.1'] });
  tells('counts as absent when empty', [name, '', name, ''], { [name]: ['10.0.0.1'] });
  tells('is the peer alone when absent', [], { [name]: ['10.0.0.1'] });
  for (const hop of ['192.0.2.7:4711', '[2001:db8::1]:4711', '2001:db8::1', 'fe80::1%eth0', 'unknown', '_SEVKISEK'])
    tells(`is kept as some proxies write it: ${hop}`, [name, hop], { [name]: [`${hop}, 10.0.0.1`] });
  for (const bad of ['<script>alert(1)</script>', 'a b', '"', '\\', '192.0.2.7\u00ff', 'a'.repeat(65), '\u001b[31m'])
    tells(`is kept after the last hop that is none, as ${JSON.stringify(bad)}`, [name, `a, ${bad}, b`, name, 'c'], {
      [name]: ['b, c, 10.0.0.1'],
    });
  tells('counts as absent where its last hop is none', [name, 'a, <b>'], { [name]: ['10.0.0.1'] });
  tells('loses empty members', [name, ', ,a,,b ,'], { [name]: ['a, b, 10.0.0.1'] });
  tells('does not count when Connection names it', [name, 'x', 'Connection', name], { [name]: ['10.0.0.1'] });
});

describe('scheme, host and port that a trusted proxy gives', () => {
  const [proto, host, port] = ['X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port'];
  tells('are kept', [proto, 'http', host, 'b.example', port, '8080'], {
    [proto]: ['http'],
    [host]: ['b.example'],
    [port]: ['8080'],
  });
  tells('say the port where it is not given', [proto, 'http'], { [port]: ['80'], [host]: ['a.example'] });
  tells('say the port of the host', [host, 'b.example:8443'], { [port]: ['8443'], [proto]: ['https'] });
  tells('may be of a WebSocket', [proto, 'wss'], { [proto]: ['wss'], [port]: ['443'] });
  tells('may be an IPv6 host', [host, '[2001:db8::1]'], { [host]: ['[2001:db8::1]'], [port]: ['443'] });
  for (const value of ['HTTPS', 'https, http', 'https,http', '', 'javascript', 'https://', 'http\u00ff', 'https '])
    tells(`are ours for the scheme ${JSON.stringify(value)}`, [proto, value], { [proto]: ['https'] });
  for (const value of ['', 'a b', 'a,b', 'a/b', 'user@a', 'a:99999', 'a:', '<a>', 'a"b', '[x]', 'a\\b', 'a#b'])
    tells(`are ours for the host ${JSON.stringify(value)}`, [host, value], { [host]: ['a.example'] });
  for (const value of ['', '0', '080', '65536', '-1', '8080,80', '0x50', '+80', ' 80'])
    tells(`are ours for the port ${JSON.stringify(value)}`, [port, value], { [port]: ['443'] });
  tells(
    'are ours where it gives two',
    [proto, 'http', proto, 'https', host, 'b', 'x-forwarded-host', 'b', port, '1', port, '1'],
    {
      [proto]: ['https'],
      [host]: ['a.example'],
      [port]: ['443'],
    },
  );
});

describe('Forwarded of a trusted proxy', () => {
  const name = 'Forwarded';
  const ours = 'for=10.0.0.1;host=a.example;proto=https';
  tells('is never invented', [], { [name]: [] });
  for (const value of [
    ...['for=192.0.2.7', 'for="[2001:db8::1]:4711";proto=http;by=203.0.113.43', 'For="_x y\\"z", for=unknown'],
    ...['for=a;host="b.example:80"', 'for=a ; proto=http , for=b', 'for=a,,for=b', 'for=_SEVKISEK'],
  ])
    tells(`is appended to: ${value}`, [name, value], { [name]: [`${value}, ${ours}`] });
  tells('is one field at the end', [name, 'for=a', 'forwarded', 'for=b'], { [name]: [`for=a, for=b, ${ours}`] });
  for (const value of [
    ...[
      '',
      'for="open',
      'for="open, for=b',
      'for="x\\"',
      'for',
      'for=',
      '=a',
      'for=a b',
      'for=2001:db8::1',
      'for=[::1]',
    ],
    ...['for = a', 'for="a"b', 'for=a"', '"for"=a', 'for=a\\', `${'\t '.repeat(4000)}x`, `for="${'\\'.repeat(7001)}`],
  ])
    tells(`is left out when it is no such list: ${JSON.stringify(value.slice(0, 30))}`, [name, value], { [name]: [] });
  tells('is left out when one of its fields is no such list', [name, 'for="open', name, 'for=b'], { [name]: [] });
  tells(
    'has a quoted host where that has a port',
    [name, 'for=a'],
    { [name]: ['for=a, for=10.0.0.1;host="a:1";proto=https'] },
    'a:1',
  );

  test('has an IPv6 peer in brackets and quotes', () => {
    const headers = ['Host', '[::1]', name, 'for=a'];
    const connection = { remoteAddress: '2001:db8::1', peerAddress: '10.0.0.1' };
    const exchange = new FakeExchange({ headers, connection });
    exchange.host = '[::1]';
    policy.apply(exchange);
    const wanted = 'for=a, for="[2001:db8::1]";host="[::1]";proto=https';
    assert.deepEqual(valuesOf(exchange.sent, name), [wanted]);
  });
});

describe('X-Request-Id of a trusted proxy', () => {
  const name = 'X-Request-Id';
  for (const value of [
    'abc',
    '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
    'Root=1-67891233-abcdef012345678912345678',
    'x'.repeat(128),
  ])
    test(`is kept: ${value.slice(0, 40)}`, () => {
      const exchange = apply([name, value]);
      assert.equal(exchange.requestId, value);
      assert.deepEqual(valuesOf(exchange.sent, name), [value]);
    });
  for (const values of [[''], ['x'.repeat(129)], ['a b'], ['a,b'], ['a"b'], ['<a>'], ['a\u00e9'], ['a{b}'], ['a', 'a']])
    test(`is ours instead of ${JSON.stringify(values).slice(0, 40)}`, () => {
      const exchange = apply(values.flatMap((value) => [name, value]));
      assert.match(exchange.requestId, /^[0-9a-f-]{36}$/);
      assert.deepEqual(valuesOf(exchange.sent, name), [exchange.requestId]);
    });
});

test('other X-Forwarded-* of a trusted proxy stay where they are, but never a client certificate or a name with _', () => {
  const kept = ['X-Forwarded-Prefix', '/app', 'x-forwarded-server', 'b', 'X-Forwarded-Ssl', 'on'];
  const twins = [
    'X_Forwarded_For',
    'X-Forwarded_Proto',
    'x_request_id',
    'X_Forwarded-Prefix',
    'X_FORWARDED_CLIENT_CERT',
  ];
  const certs = ['X-Forwarded-Client-Cert', 'x-forwarded-client-cert', 'X-FORWARDED-CLIENT-CERT'];
  const exchange = apply([...kept, ...[...twins, ...certs].flatMap((name) => [name, 'spoofed']), 'Accept', '*/*']);
  assert.deepEqual(exchange.sent.slice(0, 10), ['Host', 'a.example', ...kept, 'Accept', '*/*']);
  assert.doesNotMatch(exchange.sent.join('\n'), /spoofed|_|client-cert/i);
});

test('of anyone else nothing is kept', () => {
  const exchange = apply(
    ['X-Forwarded-For', 'x', 'Forwarded', 'for=x', 'X-Request-Id', 'x', 'X-Forwarded-Prefix', 'x'],
    '11.0.0.1',
  );
  assert.ok(!exchange.sent.includes('x'));
  assert.deepEqual(valuesOf(exchange.sent, 'X-Forwarded-For'), ['11.0.0.1']);
  assert.ok(!exchange.sent.includes('Forwarded'));
});
