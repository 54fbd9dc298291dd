// IP addresses, ranges of them, and where the app is. An address has one spelling here: IPv4-mapped IPv6 is IPv4
// (`::ffff:10.0.0.1` and `::ffff:a00:1` are 10.0.0.1), lower case, without a zone; so a range holds an address however it
// was written.

import { BlockList, isIP, SocketAddress } from 'node:net';

type Family = 'ipv4' | 'ipv6';
export type Range = { readonly address: string; readonly prefix: number; readonly family: Family };

/** Where the app is: a port that speaks HTTP/1.1, or HTTP/2 only, or a unix socket. */
export type UpstreamAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly h2c?: true }
  | { readonly kind: 'unix'; readonly path: string };

/** The one spelling of an address; undefined if the text is none. */
export function canonicalAddress(text: string): string | undefined {
  const kind = isIP(text);
  if (kind === 0) return undefined;
  if (kind === 4) return text;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** Whether the text is an address of this host, or this Pod, alone. */
export function isLoopback(text: string): boolean {
  const address = canonicalAddress(text);
  return address === '::1' || address?.startsWith('127.') === true;
}

/** IPv4: the address itself. IPv6: its first 64 bits, which is what one subscriber or machine has at least (RFC 6177). */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const words = wordsOf(address);
  return `${words.slice(0, 4).map(hex).join(':')}::/64`;
}

function hex(word: number): string {
  return word.toString(16);
}

/** A range of `10.0.0.0/8`, `2001:db8::/32` or a single address; else what is wrong with the text. */
export function readRange(text: string): Range | string {
  const [, written = '', length] = /^([^/%]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const address = canonicalAddress(written);
  if (address === undefined) return 'an address or a range, as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7';
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const bits = family === 'ipv4' ? 32 : 128;
  // A mapped range counts its 96 leading bits, too.
  const mapped = family === 'ipv4' && written.includes(':') ? 96 : 0;
  const prefix = length === undefined ? bits : Number(length) - mapped;
  if (prefix < 0 || prefix > bits) return `a range whose length is between ${mapped} and ${bits + mapped}`;
  if (length !== undefined && !isFirstOf(address, prefix, family))
    return `a range that begins at its first address; for one address write ${address}/${bits + mapped}`;
  return { address, prefix, family };
}

export class AddressList {
  // One list a family: in Node, a range of IPv6 as wide as ::/0 holds every IPv4 address, too.
  readonly #lists: Readonly<Record<Family, BlockList>> = { ipv4: new BlockList(), ipv6: new BlockList() };
  readonly empty: boolean;

  constructor(ranges: readonly Range[]) {
    this.empty = ranges.length === 0;
    for (const { address, prefix, family } of ranges) this.#lists[family].addSubnet(address, prefix, family);
  }

  /** `address` in its one spelling. */
  has(address: string): boolean {
    if (this.empty || address === '') return false;
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    return this.#lists[family].check(address, family);
  }
}

/** Whether no bit is set after the prefix: otherwise two readers could read two ranges. */
function isFirstOf(address: string, prefix: number, family: Family): boolean {
  const value = family === 'ipv4' ? numberOf(address.split('.').map(Number), 8) : numberOf(wordsOf(address), 16);
  const rest = BigInt((family === 'ipv4' ? 32 : 128) - prefix);
  return (value >> rest) << rest === value;
}

function numberOf(digits: readonly number[], bits: number): bigint {
  return digits.reduce((value, digit) => (value << BigInt(bits)) | BigInt(digit), 0n);
}

/** The eight words of an IPv6 address. */
function wordsOf(address: string): number[] {
  const [left = [], right = []] = address.split('::').map((part) => (part === '' ? [] : part.split(':').flatMap(word)));
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function word(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return text.includes('.') ? [a * 256 + b, c * 256 + d] : [Number.parseInt(text, 16)];
}
