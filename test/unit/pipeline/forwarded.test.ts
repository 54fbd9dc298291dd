// What the app is told of the client: ours, once, and nothing that the client said in our name, however it spelled it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { forwarded } from '../../../src/pipeline/forwarded.ts';
import { FakeExchange, type FakeRequest } from './fake-exchange.ts';

const policy = forwarded('app.local:3000');
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

type Settled = FakeRequest & { host?: string };

/** The exchange after the policy; its host and length as the request rules would have settled them. */
function apply({ host = 'a.example', ...request }: Settled): FakeExchange {
  const exchange = new FakeExchange({ headers: ['Host', host], ...request });
  exchange.host = host;
  assert.equal(policy.apply(exchange), undefined);
  return exchange;
}

function ours({ requestId }: FakeExchange, changes: Record<string, string> = {}): RawHeaders {
  const fields = {
    'X-Forwarded-For': '192.0.2.7',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'a.example',
    'X-Forwarded-Port': '443',
    'X-Request-Id': requestId,
    ...changes,
  };
  return Object.entries(fields).flat();
}

describe('what the app is told', () => {
  test('is who the client is, how it came, whom it asked for, and an id of the request', () => {
    const exchange = apply({});
    assert.match(exchange.requestId, UUID);
    assert.deepEqual(exchange.sent, ['Host', 'a.example', ...ours(exchange)]);
  });

  test('is a new id for every request', () => {
    assert.notEqual(apply({}).requestId, apply({}).requestId);
  });

  const rows: readonly (readonly [what: string, request: Settled, changes: Record<string, string>])[] = [
    [
      'the port of the Host',
      { host: 'a.example:8443' },
      { 'X-Forwarded-Host': 'a.example:8443', 'X-Forwarded-Port': '8443' },
    ],
    [
      'the port of an IPv6 Host',
      { host: '[::1]:8443' },
      { 'X-Forwarded-Host': '[::1]:8443', 'X-Forwarded-Port': '8443' },
    ],
    ['443 for an IPv6 Host without one', { host: '[::1]' }, { 'X-Forwarded-Host': '[::1]' }],
    ['the Host in its own letter case', { host: 'A.Example' }, { 'X-Forwarded-Host': 'A.Example' }],
    ['an IPv6 client', { connection: { remoteAddress: '2001:db8::1' } }, { 'X-Forwarded-For': '2001:db8::1' }],
    [
      'a client without TLS',
      { connection: { scheme: 'http' } },
      { 'X-Forwarded-Proto': 'http', 'X-Forwarded-Port': '80' },
    ],
  ];
  for (const [what, request, changes] of rows) {
    test(`is ${what}`, () => {
      const exchange = apply(request);
      assert.deepEqual(exchange.sent.slice(2), ours(exchange, changes));
    });
  }

  test('is the app itself as the Host where an HTTP/1.0 client names none, at the head of the list', () => {
    const exchange = apply({ protocol: 'http/1.0', host: '', headers: ['Accept', '*/*'] });
    assert.deepEqual(exchange.sent.slice(0, 4), ['Host', 'app.local:3000', 'Accept', '*/*']);
    assert.equal(exchange.host, 'app.local:3000');
    assert.equal(exchange.sent.filter((name) => name.toLowerCase() === 'host').length, 1);
  });
});

describe('the Host of an HTTP/2 request', () => {
  const h2 = (...headers: string[]): FakeExchange => apply({ protocol: 'h2', authority: 'a.example', headers });

  test('is its authority, at the head of the list, once', () => {
    for (const headers of [[], ['host', 'a.example'], ['host', 'a.example', 'HOST', 'a.example']]) {
      const exchange = h2(...headers, 'accept', '*/*');
      assert.deepEqual(exchange.sent, ['Host', 'a.example', 'accept', '*/*', ...ours(exchange)]);
    }
  });

  test('is the one that it sent where it has no authority', () => {
    const exchange = apply({ protocol: 'h2', headers: ['host', 'a.example'] });
    assert.deepEqual(exchange.sent, ['host', 'a.example', ...ours(exchange)]);
  });
});

describe('what goes through untouched', () => {
  test('is everything else: bytes, order, letter case and repetition', () => {
    const headers = [
      ...['Host', 'a.example', 'X-Real-Thing', '1', 'COOKIE', 'a=b', 'cookie', 'c=d', 'accept', ' '],
      ...['Authorization', 'Bearer x', 'X-B', '\xff\t!', 'Via', '1.1 x', 'traceparent', '00-x', '__proto__', 'y'],
    ];
    const exchange = apply({ headers });
    assert.deepEqual(exchange.sent, [...headers, ...ours(exchange)]);
  });

  test('is the length of the body, but never its coding', () => {
    const withLength = apply({ headers: ['Host', 'a.example', 'Content-Length', '5'], bodyLength: 5 });
    assert.deepEqual(withLength.sent.slice(0, 4), ['Host', 'a.example', 'Content-Length', '5']);
    const chunked = apply({
      headers: ['Host', 'a.example', 'Transfer-Encoding', 'chunked'],
      bodyLength: UNKNOWN_LENGTH,
    });
    assert.deepEqual(chunked.sent, ['Host', 'a.example', ...ours(chunked)]);
  });

  test('is Trailer where trailers can follow, and only there', () => {
    const headers = ['Host', 'a.example', 'Trailer', 'X-Sum'];
    assert.ok(apply({ headers, bodyLength: UNKNOWN_LENGTH }).sent.includes('Trailer'));
    assert.ok(!apply({ headers, bodyLength: 5 }).sent.includes('Trailer'));
    assert.ok(!apply({ headers }).sent.includes('Trailer'));
  });
});

describe('what the client says of itself', () => {
  const names = [
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Port',
    'X-Forwarded-Prefix',
    'X-Forwarded-Server',
    'X-Forwarded-Scheme',
    'X-Forwarded-Ssl',
    'X-Forwarded-By',
    'X-Forwarded-Path',
    'X-Forwarded-Uri',
    'X-Forwarded-User',
    'X-Forwarded-Client-Cert',
    'X-Forwarded-Anything-That-Comes-Later-And-Is-Quite-Long',
    'Forwarded',
    'X-Request-Id',
  ];
  const spell: Readonly<Record<string, (name: string) => string>> = {
    'as usual': (name) => name,
    'in lower case': (name) => name.toLowerCase(),
    'in capitals': (name) => name.toUpperCase(),
    'with underscores': (name) => name.replaceAll('-', '_'),
    'with one underscore, in mixed case': (name) => alternate(name.replace('-', '_')),
    'with underscores in capitals': (name) => name.replaceAll('-', '_').toUpperCase(),
  };

  for (const name of names) {
    for (const [how, spelled] of Object.entries(spell)) {
      const sent = spelled(name);
      test(`${sent} (${how}) never reaches the app: alone, repeated, or named in Connection`, () => {
        const base = ['Host', 'a.example', 'Accept', '*/*'];
        const lists: RawHeaders[] = [
          [...base, sent, 'spoofed'],
          [sent, 'spoofed', ...base],
          [sent, '', ...base, sent, 'spoofed', name, 'spoofed', sent, 'spoofed'],
          [...base, 'Connection', sent, sent, 'spoofed'],
          [...base, sent, 'spoofed', 'Connection', `close, ${sent}`, 'Connection', name],
          // The name of ours alone: what we set must not be taken away.
          [...base, 'Connection', sent],
          [...base, 'Connection', `keep-alive, ${name}`],
        ];
        for (const headers of lists) {
          const exchange = apply({ headers });
          assert.deepEqual(exchange.sent, [...base, ...ours(exchange)], JSON.stringify(headers));
        }
      });
    }
  }

  test('none of it, all together', () => {
    const headers = names.flatMap((name) => Object.values(spell).flatMap((spelled) => [spelled(name), 'spoofed']));
    const exchange = apply({ headers: ['Host', 'a.example', ...headers, 'Connection', names.join(', ')] });
    assert.deepEqual(exchange.sent, ['Host', 'a.example', ...ours(exchange)]);
  });

  function alternate(name: string): string {
    return [...name].map((char, i) => (i % 2 === 0 ? char.toUpperCase() : char.toLowerCase())).join('');
  }
});

describe('hop-by-hop fields', () => {
  test('never reach the app, nor do the fields that Connection names', () => {
    const headers = [
      ...['Host', 'a.example', 'Connection', 'keep-alive, X-Secret', 'Keep-Alive', 'timeout=5', 'X-Secret', '1'],
      ...['Proxy-Connection', 'keep-alive', 'Proxy-Authorization', 'Basic x', 'HTTP2-Settings', 'x', 'x-secret', '2'],
      ...['Upgrade', 'websocket', 'Keep_Alive', 'x', 'Proxy_Authorization', 'x', 'TE', 'gzip'],
    ];
    const exchange = apply({ headers });
    assert.deepEqual(exchange.sent, ['Host', 'a.example', ...ours(exchange)]);
  });

  const te: readonly (readonly [what: string, headers: RawHeaders, passed: boolean])[] = [
    ['TE: trailers', ['TE', 'trailers'], true],
    ['TE: Trailers among others', ['te', 'gzip;q=0.5, Trailers'], true],
    ['TE: trailers, named in Connection', ['TE', 'trailers', 'Connection', 'TE'], true],
    ['TE: trailers in the second of two fields', ['TE', 'gzip', 'TE', 'trailers'], true],
    ['TE: gzip', ['TE', 'gzip'], false],
    ['an empty TE', ['TE', ''], false],
    ['no TE', [], false],
  ];
  for (const [what, headers, passed] of te) {
    test(`${what} ${passed ? 'is told to the app as ours' : 'tells the app nothing'}`, () => {
      const exchange = apply({ headers: ['Host', 'a.example', ...headers] });
      const hop = passed ? ['TE', 'trailers', 'Connection', 'TE'] : [];
      assert.deepEqual(exchange.sent, ['Host', 'a.example', ...hop, ...ours(exchange)]);
    });
  }
});

describe('Expect', () => {
  const rows: readonly (readonly [what: string, request: Settled, kept: boolean])[] = [
    ['with a body', { bodyLength: 5 }, true],
    ['with a chunked body', { bodyLength: UNKNOWN_LENGTH }, true],
    ['without a body', { bodyLength: 0 }, false],
    ['in HTTP/1.0', { bodyLength: 5, protocol: 'http/1.0' }, false],
  ];
  for (const [what, request, kept] of rows) {
    test(`${what} ${kept ? 'reaches' : 'does not reach'} the app`, () => {
      const exchange = apply({ headers: ['Host', 'a.example', 'Expect', '100-continue'], ...request });
      assert.equal(exchange.sent.includes('Expect'), kept);
    });
  }
});
