// Who asked: never what an untrusted client says of itself, and never anything but an address.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressList, type Range, readRange } from '../../../src/net/addresses.ts';
import { client } from '../../../src/pipeline/client.ts';
import { FakeExchange } from './fake-exchange.ts';

const trusted = new AddressList(['10.0.0.0/8', '2001:db8::/32'].map((text) => readRange(text) as Range));
const policy = client(trusted);

function clientOf(peer: string, hops: readonly string[], name = 'X-Forwarded-For', source = peer): string {
  const headers = ['Host', 'a.example', ...hops.flatMap((value) => [name, value])];
  const exchange = new FakeExchange({ headers, connection: { peerAddress: peer, remoteAddress: source } });
  assert.equal(policy.apply(exchange), undefined);
  return exchange.client;
}

describe('behind a trusted proxy, the client', () => {
  const rows: readonly (readonly [what: string, hops: string[], wanted: string])[] = [
    ['is the hop that the proxy added', ['192.0.2.7'], '192.0.2.7'],
    ['is the rightmost of several', ['198.51.100.1, 192.0.2.7'], '192.0.2.7'],
    ['is the rightmost of several fields', ['198.51.100.1', '192.0.2.7'], '192.0.2.7'],
    ['is the rightmost that is not trusted', ['198.51.100.1, 192.0.2.7, 10.1.1.1', '10.2.2.2'], '192.0.2.7'],
    ['is found behind mapped trusted hops', ['192.0.2.7, ::ffff:10.1.1.1, ::ffff:a01:101'], '192.0.2.7'],
    ['is found behind trusted hops of both families', ['192.0.2.7, 2001:DB8::5, 10.0.0.1'], '192.0.2.7'],
    ['is written in its one spelling', ['::ffff:192.0.2.7'], '192.0.2.7'],
    ['is written in small letters', ['2001:0DB9:0:0::7'], '2001:db9::7'],
    ['may come with a port', ['192.0.2.7:5000'], '192.0.2.7'],
    ['may come in brackets', ['[2001:db9::7]'], '2001:db9::7'],
    ['may come in brackets with a port', ['[2001:db9::7]:5000'], '2001:db9::7'],
    ['is found beside empty members', ['192.0.2.7, , ', ''], '192.0.2.7'],
    ['is the proxy, where every hop is trusted', ['10.1.1.1, 10.2.2.2'], '10.0.0.1'],
    ['is the proxy, where there are no hops', [], '10.0.0.1'],
    ['is the proxy, where the field is empty', [''], '10.0.0.1'],
    [
      'is the proxy, behind more trusted hops than there are proxies',
      [`192.0.2.7${',10.1.1.1'.repeat(40)}`],
      '10.0.0.1',
    ],
    ...[
      ...['unknown', '_hidden', 'example.com', '192.0.2.07', '192.0.2.256', '192.0.2.7 192.0.2.8', '1', '0', '-1'],
      ...[
        '"192.0.2.7"',
        '<script>',
        '192.0.2.7\t\u001b[31m',
        '127.1',
        '[192.0.2.7]',
        '[::1',
        '::1]',
        '[]',
        'fe80::1%x',
      ],
      ...['192.0.2.7:', '192.0.2.7:x', '192.0.2.7:123456', '::ffff:192.0.2.7:80', 'for=192.0.2.7', '192.0.2.7;', ':'],
      'x'.repeat(10_000),
    ].map(
      (hop) => [`is the proxy, not ${JSON.stringify(hop.slice(0, 40))}`, ['198.51.100.1', hop], '10.0.0.1'] as const,
    ),
  ].map(([what, hops, wanted]) => [what as string, hops as string[], wanted as string]);
  for (const [what, hops, wanted] of rows) test(what, () => assert.equal(clientOf('10.0.0.1', hops), wanted));
});

test('the field counts in any letter case, and only under its own name', () => {
  assert.equal(clientOf('10.0.0.1', ['192.0.2.7'], 'x-forwarded-FOR'), '192.0.2.7');
  for (const name of ['X_Forwarded_For', 'X-Forwarded_For', 'X-Forwarded-Fo', 'X-Real-IP', 'Forwarded'])
    assert.equal(clientOf('10.0.0.1', ['192.0.2.7'], name), '10.0.0.1', name);
});

test('from a peer that is not trusted nothing counts, whatever its PROXY header says', () => {
  assert.equal(clientOf('192.0.2.7', ['198.51.100.1']), '192.0.2.7');
  // The source is in the trusted range, the peer is not.
  assert.equal(clientOf('192.0.2.7', ['198.51.100.1'], 'X-Forwarded-For', '10.0.0.1'), '10.0.0.1');
});

test('the PROXY source of a balancer wins over X-Forwarded-For', () => {
  assert.equal(clientOf('10.0.0.1', ['198.51.100.1'], 'X-Forwarded-For', '192.0.2.7'), '192.0.2.7');
});
