// The Huffman code of HPACK (RFC 7541 section 5.2, appendix B), both ways. The code is canonical, so the symbols of each
// length, in order, say it all. Strict: the end-of-string symbol, padding of other bits than ones, and more than seven of
// them are errors.

const SYMBOLS: readonly (readonly [length: number, symbols: string])[] = [
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
  // Beside these three, the end of a string, the last code of all.
  [30, '\x0a\x0d\x16'],
];
const END = 256;

const LENGTHS = new Uint8Array(257);
const CODES = new Uint32Array(257);
/** Of 8 bits each: `length << 16 | symbol` where a code ends, `-n` where table n goes on, 0 for nothing. */
const TABLES: Int32Array[] = [new Int32Array(256)];
{
  let code = 0;
  let before = 0;
  for (const [length, symbols] of SYMBOLS) {
    code <<= length - before;
    before = length;
    for (const symbol of Buffer.from(symbols, 'latin1')) add(symbol, length, code++);
  }
  add(END, 30, code);
}

function add(symbol: number, length: number, code: number): void {
  LENGTHS[symbol] = length;
  CODES[symbol] = code;
  let table = TABLES[0] as Int32Array;
  let left = length;
  for (; left > 8; left -= 8) {
    const at = (code >>> (left - 8)) & 0xff;
    if (table[at] === 0) table[at] = -(TABLES.push(new Int32Array(256)) - 1);
    table = TABLES[-(table[at] as number)] as Int32Array;
  }
  const first = (code << (8 - left)) & 0xff;
  table.fill((left << 16) | symbol, first, first + (1 << (8 - left)));
}

/** The shortest code has 5 bits: a text has at most 8/5 of the bytes that it was coded in. */
let scratch = Buffer.allocUnsafeSlow(4096);

/** The text (latin1) of bytes `from` to `to`, or undefined where they are no valid coding. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | undefined {
  if ((to - from) * 2 > scratch.length) scratch = Buffer.allocUnsafeSlow((to - from) * 2);
  const root = TABLES[0] as Int32Array;
  let table = root;
  let bits = 0;
  /** How many of `bits` are not used yet. */
  let count = 0;
  let length = 0;
  for (let at = from; at < to; at++) {
    bits = ((bits << 8) | (bytes[at] as number)) & 0xffffff;
    count += 8;
    while (count >= 8) {
      const entry = table[(bits >>> (count - 8)) & 0xff] as number;
      if (entry < 0) {
        table = TABLES[-entry] as Int32Array;
        count -= 8;
        continue;
      }
      const symbol = entry & 0xffff;
      if (symbol === END) return undefined;
      scratch[length++] = symbol;
      count -= entry >>> 16;
      table = root;
    }
  }
  for (; count > 0; table = root) {
    const entry = table[(bits << (8 - count)) & 0xff] as number;
    if (entry <= 0 || entry >>> 16 > count) break;
    scratch[length++] = entry & 0xffff;
    count -= entry >>> 16;
  }
  const padding = (1 << count) - 1;
  if (table !== root || count > 7 || (bits & padding) !== padding) return undefined;
  return scratch.toString('latin1', 0, length);
}

/** Bytes that the text (latin1) takes when it is coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 0xff] as number;
  return (bits + 7) >>> 3;
}

/** Writes the coded text; there must be room for it. Returns where it ends. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  let end = at;
  let bits = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    const code = CODES[symbol] as number;
    let left = LENGTHS[symbol] as number;
    while (left > 0) {
      const take = Math.min(left, 8 - count);
      left -= take;
      bits = (bits << take) | ((code >>> left) & ((1 << take) - 1));
      count += take;
      if (count < 8) continue;
      into[end++] = bits;
      bits = 0;
      count = 0;
    }
  }
  if (count > 0) into[end++] = (bits << (8 - count)) | ((1 << (8 - count)) - 1);
  return end;
}
