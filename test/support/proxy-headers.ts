// PROXY headers of version 2 as a balancer would write them, and with whatever a test wants to be wrong in them.

export const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

export type V2Parts = {
  /** Version and command; default 0x21, PROXY. */
  command?: number;
  /** Family and transport; default 0x11, TCP over IPv4. */
  family?: number;
  /** Default: that of 192.0.2.7:4711 to 198.51.100.1:443. */
  addresses?: Buffer;
  tlvs?: Buffer;
  /** What the length field says; default the truth. */
  length?: number;
};

export const IPV4_ADDRESSES = Buffer.from('c0000207c6336401126701bb', 'hex');
export const IPV6_ADDRESSES = Buffer.from(
  '20010db8000000000000000000000007'.concat('20010db8000000000000000000000001', '1267', '01bb'),
  'hex',
);

export function v2Header(parts: V2Parts = {}): Buffer {
  const { command = 0x21, family = 0x11, addresses = IPV4_ADDRESSES, tlvs = Buffer.alloc(0) } = parts;
  const fixed = Buffer.from([command, family, 0, 0]);
  fixed.writeUInt16BE(parts.length ?? addresses.length + tlvs.length, 2);
  return Buffer.concat([V2_SIGNATURE, fixed, addresses, tlvs]);
}

export function tlv(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string);
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
