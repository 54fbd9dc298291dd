// Fields that were encoded once, for all connections: the bytes of a literal do not depend on the connection, so that a
// repeated field is copied, or named by its place in the connection's table. Names whose values hardly ever repeat are
// found by their record and encoded anew each time. Bounded in entries and in bytes an entry.

import { ENTRY_BYTES } from './field.ts';
import { encodeHuffman, huffmanLength } from './huffman.ts';
import { staticField, staticName } from './static-table.ts';

/** RFC 7541 section 6.2: the first byte of a literal, and the bits of its index. */
const INDEXED = 0x40;
const PLAIN = 0x00;
const NEVER = 0x10;

/** Larger fields are not kept, nor put into a table of 4 KiB. */
const MAX_KEPT_BYTES = 512;
const MAX_CODES = 2048;
const MAX_NAMES = 512;
/** After so many new values of a name, and fewer repeats, none is kept any more. */
const MAX_MISSES = 64;

/** RFC 7541 section 7.1.3: no intermediary may put these into a table, where guesses could be compared with them. */
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
/** RFC 9113 section 8.2.2. */
const OF_A_CONNECTION = new Set([
  'connection',
  'upgrade',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
]);

export class FieldCode {
  /** The literal, whole. */
  readonly bytes: Uint8Array;
  /** As an entry of a table. */
  readonly size: number;
  /** Whether the literal puts itself into the table. */
  readonly indexed: boolean;
  /** Its index in the static table, or 0. */
  readonly fixed: number;

  constructor(name: string, value: string, indexed: boolean) {
    this.indexed = indexed;
    this.fixed = staticField(name, value);
    this.size = name.length + value.length + ENTRY_BYTES;
    const first = indexed ? INDEXED : SECRET.has(name) ? NEVER : PLAIN;
    // Text takes no more bytes coded than plain, and its length at most 5.
    const room = Buffer.allocUnsafe(name.length + value.length + 16);
    const index = staticName(name);
    let at = putInteger(room, 0, indexed ? 0x3f : 0x0f, first, index);
    if (index === 0) at = putText(room, at, name);
    at = putText(room, at, value);
    // A copy of its own size.
    this.bytes = new Uint8Array(room.subarray(0, at));
  }
}

class Name {
  readonly lower: string;
  /** Of one connection: it is not sent. */
  readonly dropped: boolean;
  readonly secret: boolean;
  readonly codes = new Map<string, FieldCode>();
  hits = 0;
  misses = 0;

  constructor(name: string) {
    this.lower = name.toLowerCase();
    this.dropped = OF_A_CONNECTION.has(this.lower);
    this.secret = SECRET.has(this.lower);
  }

  get volatile(): boolean {
    return this.secret || (this.misses > MAX_MISSES && this.hits < this.misses);
  }
}

const names = new Map<string, Name>();
let kept = 0;

/** The code of a field, its name in any letter case; undefined for one that HTTP/2 does not carry. */
export function codeOf(name: string, value: string): FieldCode | undefined {
  const known = names.get(name) ?? addName(name);
  if (known.dropped || (known.lower === 'te' && value !== 'trailers')) return undefined;
  const code = known.codes.get(value);
  if (code !== undefined) {
    known.hits++;
    return code;
  }
  return encode(known, value);
}

function addName(name: string): Name {
  if (names.size >= MAX_NAMES) forget();
  const known = new Name(name);
  if (name.length <= MAX_KEPT_BYTES) names.set(name, known);
  return known;
}

function encode(name: Name, value: string): FieldCode {
  const fits = name.lower.length + value.length <= MAX_KEPT_BYTES;
  const code = new FieldCode(name.lower, value, fits && !name.volatile);
  name.misses++;
  if (!code.indexed) return code;
  if (kept >= MAX_CODES) forget();
  kept++;
  name.codes.set(value, code);
  return code;
}

function forget(): void {
  for (const { codes } of names.values()) codes.clear();
  names.clear();
  kept = 0;
}

/** RFC 7541 section 5.1; `mask` has the bits of the first byte that are the integer's, `first` the others. */
export function putInteger(into: Uint8Array, at: number, mask: number, first: number, value: number): number {
  let end = at;
  if (value < mask) {
    into[end++] = first | value;
    return end;
  }
  into[end++] = first | mask;
  let left = value - mask;
  for (; left >= 0x80; left >>>= 7) into[end++] = (left & 0x7f) | 0x80;
  into[end++] = left;
  return end;
}

function putText(into: Uint8Array, at: number, text: string): number {
  const coded = huffmanLength(text);
  if (coded < text.length) return encodeHuffman(text, into, putInteger(into, at, 0x7f, 0x80, coded));
  let end = putInteger(into, at, 0x7f, 0, text.length);
  for (let i = 0; i < text.length; i++) into[end++] = text.charCodeAt(i);
  return end;
}
