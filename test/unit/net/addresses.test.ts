// One spelling for an address, and ranges that hold it however it was written.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressList, canonicalAddress, networkOf, type Range, readRange } from '../../../src/net/addresses.ts';

describe('an address', () => {
  for (const [text, wanted] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:0a00:1', '10.0.0.1'],
    ['::FFFF:A00:0001', '10.0.0.1'],
    ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1%lo', '10.0.0.1'],
    ['2001:DB8:0::0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::10.0.0.1', '::10.0.0.1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ...[
      '',
      'x',
      '10.0.0',
      '10.0.0.01',
      '010.0.0.1',
      '0x0a.0.0.1',
      '10.0.0.256',
      ' 10.0.0.1',
      '10.0.0.1\n',
      '1:2:3',
    ].map((none) => [none, undefined] as const),
    ...['::ffff:10.0.0.01', '[::1]', '::1/128', '10.0.0.1:80', '::ffff:10.0.0.1.'].map(
      (none) => [none, undefined] as const,
    ),
  ] as const) {
    test(`${JSON.stringify(text)} is ${wanted ?? 'none'}`, () => assert.equal(canonicalAddress(text), wanted));
  }
});

describe('the network of an address', () => {
  for (const [address, wanted] of [
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::2:0:0:1', '2001:db8:0:0::/64'],
    ['2001:0:0:1::', '2001:0:0:1::/64'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
    ['2001:db8:1::', '2001:db8:1:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::1:2:3:4:5:6', '0:0:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const) {
    test(`${address} is in ${wanted}`, () => assert.equal(networkOf(address), wanted));
  }
});

function listOf(...texts: string[]): AddressList {
  return new AddressList(
    texts.map((text) => {
      const range = readRange(text);
      assert.ok(typeof range !== 'string', `${text}: ${range}`);
      return range as Range;
    }),
  );
}

describe('a range', () => {
  const rows: readonly (readonly [range: string, inside: string[], outside: string[]])[] = [
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0', '::a00:1', '2001:db8::1']],
    ['10.0.0.4/30', ['10.0.0.4', '10.0.0.7'], ['10.0.0.3', '10.0.0.8']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255', '10.0.0.1'], ['::', '::1', '2001:db8::1']],
    ['::/0', ['::', '2001:db8::1', 'ffff::'], ['10.0.0.1', '0.0.0.0', '255.255.255.255']],
    ['::/1', ['::', '7fff::'], ['8000::', '10.0.0.1']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['2001:db8::7/128', ['2001:db8::7'], ['2001:db8::6', '2001:db8::8']],
    ['2001:db8:8000::/33', ['2001:db8:8000::', '2001:db8:ffff::1'], ['2001:db8:7fff::1', '2001:db9::']],
    ['fe80::/10', ['fe80::1', 'febf::1'], ['fec0::1', 'fe7f::1']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3'], ['11.0.0.0', '::a00:1']],
    ['::ffff:0:0/96', ['10.1.2.3', '255.0.0.1'], ['::1', '2001:db8::1']],
    ['::ffff:a00:1', ['10.0.0.1'], ['10.0.0.2']],
  ];
  for (const [range, inside, outside] of rows) {
    test(`${range} holds what lies in it, and nothing of the other family`, () => {
      const list = listOf(range);
      for (const address of inside) assert.ok(list.has(address), `${address} is not in ${range}`);
      for (const address of outside) assert.ok(!list.has(address), `${address} is in ${range}`);
    });
  }

  for (const [text, says] of [
    ['10.0.0.1/8', /begins at its first address; for one address write 10\.0\.0\.1\/32/],
    ['2001:db8::1/127', /for one address write 2001:db8::1\/128/],
    ['1.2.3.4/0', /first address/],
    ['::ffff:10.0.0.1/104', /first address/],
    ['10.0.0.0/33', /between 0 and 32/],
    ['::/129', /between 0 and 128/],
    ['::ffff:10.0.0.0/8', /between 96 and 128/],
    ...['', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0.0/8 ', '/8', '10.0.0.0/8/8', 'localhost', '*'].map(
      (text) => [text, /an address or a range, as/] as const,
    ),
    ['fe80::1%eth0', /an address or a range, as/],
    ['10.0.0.0/255.0.0.0', /an address or a range, as/],
  ] as const) {
    test(`${JSON.stringify(text)} is none, and the message says what would be one`, () => {
      const range = readRange(text);
      assert.match(String(range), says);
    });
  }

  test('none at all holds nobody, and nobody is what has no address', () => {
    assert.ok(new AddressList([]).empty);
    assert.ok(!new AddressList([]).has('10.0.0.1'));
    assert.ok(!listOf('0.0.0.0/0', '::/0').has(''));
  });
});
