// HPACK read by our own hand (RFC 7541), without a dynamic table: the client that reads here says
// SETTINGS_HEADER_TABLE_SIZE 0. The writing of header blocks is with the frames.

import type { Field } from './h2-frames.ts';

export function readHeaderBlock(block: Buffer): Field[] {
  const fields: Field[] = [];
  const reader = new BlockReader(block);
  while (!reader.done) {
    const field = reader.field();
    if (field !== undefined) fields.push(field);
  }
  return fields;
}

class BlockReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  field(): Field | undefined {
    const first = this.#bytes[this.#at] ?? 0;
    if (first & 0x80) return entry(this.#integer(7));
    if ((first & 0xe0) === 0x20) return void this.#integer(5); // a change of the table's size
    const name = this.#integer(first & 0x40 ? 6 : 4);
    return [name === 0 ? this.#text() : entry(name)[0], this.#text()];
  }

  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = (this.#bytes[this.#at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  #text(): string {
    const coded = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return coded ? unhuffman(bytes) : bytes.toString('latin1');
  }
}

function entry(index: number): Field {
  const found = STATIC[index - 1];
  if (found === undefined) throw new Error(`HPACK index ${index}: the dynamic table was to be empty`);
  return found;
}

function unhuffman(bytes: Buffer): string {
  let out = '';
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      length++;
      const symbol = HUFFMAN.get(length * 2 ** 30 + code);
      if (symbol === undefined) continue;
      out += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  return out;
}

/** RFC 7541 appendix B: the code is canonical, so the symbols of each length, in order, say it all. */
const HUFFMAN_SYMBOLS: readonly (readonly [length: number, symbols: string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\x00$@[]~'],
  [14, '^}'],
  [15, '<`{'],
  [19, '\\\xc3\xd0'],
  [20, '\x80\x82\x83\xa2\xb8\xc2\xe0\xe2'],
  [21, '\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6'],
  [22, '\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9'],
  [
    23,
    '\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef',
  ],
  [24, '\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed'],
  [25, '\xc7\xcf\xea\xeb'],
  [26, '\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff'],
  [27, '\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe'],
  [
    28,
    '\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9',
  ],
  [30, '\x0a\x0d\x16'],
];
const HUFFMAN = new Map<number, number>();
{
  let code = 0;
  let before = 0;
  for (const [length, symbols] of HUFFMAN_SYMBOLS) {
    code <<= length - before;
    before = length;
    for (const symbol of Buffer.from(symbols, 'latin1')) HUFFMAN.set(length * 2 ** 30 + code++, symbol);
  }
}

/** RFC 7541 appendix A. */
const STATIC: readonly Field[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|' +
  ':status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|' +
  'accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|' +
  'authorization|cache-control|content-disposition|content-encoding|content-language|content-length|' +
  'content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|' +
  'if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|' +
  'proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|' +
  'strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((item) => [item.split('=')[0] ?? '', item.split('=')[1] ?? '']);
