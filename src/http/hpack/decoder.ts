// Reads header blocks (RFC 7541). Whatever a block says, what is kept of it is bounded: the table by what we announced, the
// list by its own limit, above which fields are read for the table's sake only and dropped (27 bytes can name 8 KB). A
// block that cannot be read leaves the two tables apart, so that the connection has to end.

import { DynamicTable } from './dynamic-table.ts';
import { Field } from './field.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_ENTRIES, staticEntry } from './static-table.ts';

/** SETTINGS_HEADER_TABLE_SIZE as it is where nobody says anything else. */
export const TABLE_BYTES = 4096;

/** Integers of five bytes and more are above any length that a block can have. */
const MAX_SHIFT = 21;

const EMPTY = Buffer.alloc(0);

export class HpackDecoder {
  /** The fields of the last block, in order; used again by the next. */
  readonly fields: Field[] = [];
  /** The last block had more than `fields` was allowed to hold. */
  overflowed = false;
  readonly #table: DynamicTable;
  readonly #maxListBytes: number;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #broken = false;

  /** `maxListBytes` as in SETTINGS_MAX_HEADER_LIST_SIZE: each field counts 32 bytes more than its text. */
  constructor(maxListBytes: number, tableBytes: number = TABLE_BYTES) {
    this.#maxListBytes = maxListBytes;
    this.#table = new DynamicTable(tableBytes);
  }

  /** Reads one whole block. False: it cannot be read (COMPRESSION_ERROR). */
  decode(bytes: Buffer, from: number, to: number): boolean {
    const { fields } = this;
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#broken = false;
    this.overflowed = false;
    fields.length = 0;
    let listBytes = 0;
    let begun = false;
    while (this.#at < to && !this.#broken) {
      const first = bytes[this.#at] as number;
      if (first >= 0x20 && first < 0x40) {
        // Section 4.2: at the beginning of a block only.
        if (begun || !this.#table.resize(this.#integer(0x1f))) return false;
        continue;
      }
      begun = true;
      const field = this.#field(first);
      if (field === undefined) return false;
      listBytes += field.size;
      if (listBytes <= this.#maxListBytes) fields.push(field);
      else this.overflowed = true;
    }
    this.#bytes = EMPTY;
    return !this.#broken;
  }

  #field(first: number): Field | undefined {
    if (first >= 0x80) return this.#entry(this.#integer(0x7f));
    const indexed = first >= 0x40;
    const index = this.#integer(indexed ? 0x3f : 0x0f);
    const name = index === 0 ? this.#text() : this.#entry(index)?.name;
    if (name === undefined) return undefined;
    const value = this.#text();
    if (value === undefined) return undefined;
    const field = new Field(name, value);
    if (indexed) this.#table.add(field);
    return field;
  }

  #entry(index: number): Field | undefined {
    if (this.#broken || index === 0) return undefined;
    return index <= STATIC_ENTRIES ? staticEntry(index) : this.#table.get(index - STATIC_ENTRIES - 1);
  }

  /** Section 5.1; `mask` has the bits of the first byte that are the integer's. */
  #integer(mask: number): number {
    let value = (this.#bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_SHIFT && this.#at < this.#end; shift += 7) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.#broken = true;
    return 0;
  }

  #text(): string | undefined {
    if (this.#broken || this.#at >= this.#end) return undefined;
    const coded = (this.#bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(0x7f);
    const from = this.#at;
    if (this.#broken || length > this.#end - from) return undefined;
    this.#at = from + length;
    if (coded) return decodeHuffman(this.#bytes, from, this.#at);
    return this.#bytes.toString('latin1', from, this.#at);
  }
}
