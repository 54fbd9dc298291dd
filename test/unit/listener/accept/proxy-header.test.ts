// PROXY headers: what is one, what is none, what is wrong; and that it is the same however the bytes arrive.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isProxyHeader, readProxyHeader } from '../../../../src/listener/accept/proxy-header.ts';
import { IPV6_ADDRESSES, tlv, V2_SIGNATURE, v2Header } from '../../../support/proxy-headers.ts';

type Read = ReturnType<typeof readProxyHeader>;

/** What is read of the bytes as they grow one by one: the first that is given, and it must be the same for all that follow. */
function byteByByte(bytes: Buffer): Read {
  let first: Read;
  for (let length = 1; length <= bytes.length; length++) {
    const read = readProxyHeader(bytes.subarray(0, length));
    if (first === undefined) first = read;
    else assert.deepEqual(read, first, `it changed at ${length} bytes`);
  }
  return first;
}

function accepts(what: string, header: Buffer | string, source: string | undefined): void {
  test(`${what} is a header`, () => {
    const bytes = Buffer.from(header as string);
    for (const more of ['', '\x16\x03\x01', 'GET / HTTP/1.1\r\n\r\n', 'PROXY UNKNOWN\r\n']) {
      const all = Buffer.concat([bytes, Buffer.from(more)]);
      assert.deepEqual(readProxyHeader(all), { used: bytes.length, source });
      assert.deepEqual(byteByByte(all), { used: bytes.length, source });
    }
  });
}

function refuses(what: string, header: Buffer | string, reason: 'bad_proxy_header' | 'no_proxy_header'): void {
  test(`${what} is refused: ${reason}`, () => {
    const bytes = Buffer.from(header as string);
    assert.equal(readProxyHeader(bytes), reason);
    assert.equal(byteByByte(bytes), reason);
    assert.equal(byteByByte(Buffer.concat([bytes, Buffer.alloc(300, 'x\r\n')])), reason);
  });
}

describe('version 1', () => {
  const long = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
  accepts('TCP4', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n', '192.0.2.7');
  accepts('the lowest ports', 'PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n', '0.0.0.0');
  accepts('TCP6', 'PROXY TCP6 2001:DB8::7 2001:db8::1 4711 443\r\n', '2001:db8::7');
  accepts('TCP6 at its longest', `PROXY TCP6 ${long} ${long} 65535 65535\r\n`, long);
  accepts('a mapped address', 'PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 4711 443\r\n', '192.0.2.7');
  accepts('UNKNOWN', 'PROXY UNKNOWN\r\n', undefined);
  accepts('UNKNOWN with addresses', `PROXY UNKNOWN ${long} ${long} 65535 65535\r\n`, undefined);

  const bad = [
    ...['PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\r\n'],
    ...['PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n'],
    ...['PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n', 'PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'],
    ...['PROXY TCP4 192.0.2.07 198.51.100.1 4711 443\r\n', 'PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n'],
    ...['PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 99999\r\n'],
    ...['PROXY TCP4 192.0.2.256 198.51.100.1 4711 443\r\n', 'PROXY TCP4 192.0.2.7 198.51.100 4711 443\r\n'],
    ...['PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n', 'PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n'],
    ...['PROXY TCP6 fe80::1%eth0 fe80::2 4711 443\r\n', 'PROXY TCP6 [2001:db8::7] 2001:db8::1 4711 443\r\n'],
    ...['PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n', 'PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n'],
    ...['PROXY TCP4\t192.0.2.7 198.51.100.1 4711 443\r\n'],
    ...['PROXY tcp4 192.0.2.7 198.51.100.1 4711 443\r\n', 'PROXY TCP5 192.0.2.7 198.51.100.1 4711 443\r\n'],
    ...['PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n', 'PROXY UNKNOWNX\r\n', 'PROXY UNKNOWN x\0\r\n', 'PROXY \r\n'],
    ...['PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\x00\r\n', 'PROXY TCP4 192.0.2.7\r198.51.100.1 4711 443\r\n'],
  ];
  for (const text of bad) refuses(JSON.stringify(text), text, 'bad_proxy_header');
  refuses('a line of 108 bytes', `PROXY UNKNOWN ${'x'.repeat(108 - 16)}\r\n`, 'bad_proxy_header');
  refuses('a line without an end', `PROXY TCP4 ${'1'.repeat(107)}`, 'bad_proxy_header');
});

describe('version 2', () => {
  const unix = Buffer.alloc(216, '/');
  accepts('TCP over IPv4', v2Header(), '192.0.2.7');
  accepts('TCP over IPv6', v2Header({ family: 0x21, addresses: IPV6_ADDRESSES }), '2001:db8::7');
  const mapped = Buffer.concat([Buffer.from('00000000000000000000ffff0a000001', 'hex'), Buffer.alloc(20)]);
  accepts('a mapped address', v2Header({ family: 0x21, addresses: mapped }), '10.0.0.1');
  accepts('a unix socket', v2Header({ family: 0x31, addresses: unix }), undefined);
  accepts('LOCAL', v2Header({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }), undefined);
  accepts('LOCAL with anything behind it', v2Header({ command: 0x20, addresses: Buffer.alloc(77, 0xff) }), undefined);
  accepts('an unspecified family', v2Header({ family: 0, addresses: Buffer.alloc(0) }), undefined);
  accepts(
    'an unspecified family with bytes to skip',
    v2Header({ family: 0, addresses: Buffer.alloc(9, 1) }),
    undefined,
  );
  const tlvs = Buffer.concat([tlv(0x01, 'h2'), tlv(0x02, 'app.example'), tlv(0x04, ''), tlv(0xea, Buffer.alloc(19))]);
  accepts('values behind the addresses', v2Header({ tlvs }), '192.0.2.7');
  accepts('4096 bytes of it', v2Header({ tlvs: tlv(0xe0, Buffer.alloc(4096 - 28 - 3)) }), '192.0.2.7');

  const unchecked = v2Header({ tlvs: tlv(0x03, Buffer.alloc(4)) });
  const checked = Buffer.from(unchecked);
  checked.writeUInt32BE(crc32c(unchecked), unchecked.length - 4);
  accepts('the right checksum', checked, '192.0.2.7');
  refuses('a wrong checksum', unchecked, 'bad_proxy_header');
  for (let at = 16; at < 28; at++) {
    const changed = Buffer.from(checked);
    changed[at] = (changed[at] as number) ^ 1;
    refuses(`a checksum that does not fit, byte ${at} being changed`, changed, 'bad_proxy_header');
  }

  refuses('version 1 in the binary form', v2Header({ command: 0x11 }), 'bad_proxy_header');
  refuses('version 3', v2Header({ command: 0x31 }), 'bad_proxy_header');
  refuses('an unknown command', v2Header({ command: 0x22 }), 'bad_proxy_header');
  for (const family of [0x01, 0x02, 0x10, 0x12, 0x13, 0x20, 0x22, 0x30, 0x32, 0x41, 0xff])
    refuses(`family ${family.toString(16)}`, v2Header({ family, addresses: unix }), 'bad_proxy_header');
  refuses('too few bytes for the addresses', v2Header({ addresses: Buffer.alloc(11) }), 'bad_proxy_header');
  refuses('no addresses', v2Header({ addresses: Buffer.alloc(0) }), 'bad_proxy_header');
  refuses('too few for IPv6', v2Header({ family: 0x21 }), 'bad_proxy_header');
  refuses('too few for a unix socket', v2Header({ family: 0x31, addresses: Buffer.alloc(215) }), 'bad_proxy_header');
  refuses('more than 4096 bytes', v2Header({ tlvs: tlv(0xe0, Buffer.alloc(4096 - 28 - 2)) }), 'bad_proxy_header');
  refuses('65535 bytes, at once', v2Header({ length: 65_535 }), 'bad_proxy_header');
  refuses('a local 65535 bytes', v2Header({ command: 0x20, length: 65_535 }), 'bad_proxy_header');
  refuses('a value longer than the header', v2Header({ tlvs: Buffer.from('0100ff', 'hex') }), 'bad_proxy_header');
  refuses('half a value', v2Header({ tlvs: Buffer.from('0100', 'hex') }), 'bad_proxy_header');
  refuses('a byte too many', v2Header({ tlvs: Buffer.concat([tlv(1, 'h2'), Buffer.from([0])]) }), 'bad_proxy_header');
  refuses('a checksum of three bytes', v2Header({ tlvs: tlv(0x03, Buffer.alloc(3)) }), 'bad_proxy_header');

  test('what is not complete yet waits', () => {
    for (let length = 1; length < 28; length++)
      assert.equal(readProxyHeader(v2Header().subarray(0, length)), undefined);
    assert.equal(readProxyHeader(Buffer.from('PROXY TCP4 1')), undefined);
  });
});

describe('what is no header', () => {
  for (const [what, bytes] of [
    ['a ClientHello', '\x16\x03\x01\x02\x00\x01'],
    ['a request', 'GET / HTTP/1.1\r\n\r\n'],
    ['a method that begins like it', 'PROPFIND / HTTP/1.1\r\n\r\n'],
    ['the word in small letters', 'proxy TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'],
    ['a tab behind the word', 'PROXY\tTCP4 192.0.2.7 198.51.100.1 4711 443\r\n'],
    ['an empty line', '\r\nPROXY UNKNOWN\r\n'],
    ['a zero byte', '\0'],
  ] as const)
    refuses(what, Buffer.from(bytes, 'latin1'), 'no_proxy_header');
  for (let at = 0; at < 12; at++) {
    const changed = v2Header();
    changed[at] = (changed[at] as number) ^ 0x80;
    refuses(`the signature with another byte ${at}`, changed, 'no_proxy_header');
  }

  test('one from a stranger is known for what it is', () => {
    assert.equal(isProxyHeader(Buffer.from('PROXY UNKNOWN\r\n')), true);
    assert.equal(isProxyHeader(v2Header()), true);
    assert.equal(isProxyHeader(V2_SIGNATURE.subarray(0, 5)), true);
    for (const bytes of ['P', 'PROXY', '\r\n', '\r\n\r\n'])
      assert.equal(isProxyHeader(Buffer.from(bytes, 'latin1')), undefined, JSON.stringify(bytes));
    for (const bytes of ['PO', 'PROXIES / HTTP/1.1\r\n', '\r\nGET / HTTP/1.1\r\n\r\n', '\r\n\r\nP', '\x16\x03\x01'])
      assert.equal(isProxyHeader(Buffer.from(bytes, 'latin1')), false, JSON.stringify(bytes));
  });
});

/** As in RFC 3720 appendix B.4, by its definition: the polynomial division bit by bit. */
function crc32c(bytes: Buffer): number {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest = (rest ^ byte) >>> 0;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? ((rest >>> 1) ^ 0x82f63b78) >>> 0 : rest >>> 1;
  }
  return (rest ^ 0xffffffff) >>> 0;
}

test('the checksum of these tests is the one of RFC 3720', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
});
