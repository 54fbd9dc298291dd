// Writes header blocks (RFC 7541) for one connection: which of the shared field codes are in the peer's table, and where.
// The table is never larger than 4 KiB, whatever the peer allows.

import type { RawHeaders } from '../fields.ts';
import { Derived } from '../repeats.ts';
import { TABLE_BYTES } from './decoder.ts';
import { codeOf, type FieldCode, putInteger } from './field-code.ts';
import { STATIC_ENTRIES, staticField } from './static-table.ts';

/** The largest index or size takes three bytes. */
const INTEGER_BYTES = 4;
/** Two changes of the table's size, and a status. */
const START_BYTES = 16;

const NO_CODES: readonly FieldCode[] = [];
/** Of lists that are kept. */
const CODES = new Derived<readonly FieldCode[]>();

function codesOf(headers: RawHeaders): readonly FieldCode[] {
  const codes: FieldCode[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const code = codeOf(headers[i] as string, headers[i + 1] as string);
    if (code !== undefined) codes.push(code);
  }
  CODES.set(headers, codes);
  return codes;
}

export class HpackEncoder {
  /** Each entry, oldest first, with the number of its insertion. */
  readonly #table = new Map<FieldCode, number>();
  /** The codes of the block under way. */
  #codes: readonly FieldCode[] = NO_CODES;
  #maxBytes = TABLE_BYTES;
  #bytes = 0;
  #inserted = 0;
  /** The least size since the last block, where it was changed (section 4.2). */
  #leastBytes: number | undefined = undefined;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  resize(maxBytes: number): void {
    const next = Math.min(TABLE_BYTES, maxBytes);
    if (next === this.#maxBytes && this.#leastBytes === undefined) return;
    this.#maxBytes = next;
    this.#leastBytes = Math.min(this.#leastBytes ?? next, next);
    this.#evict(0);
  }

  /** Begins a block: how many bytes it takes at the most. Then write() must be called. */
  prepare(headers: RawHeaders): number {
    const codes = CODES.of(headers) ?? codesOf(headers);
    this.#codes = codes;
    let most = START_BYTES;
    for (let i = 0; i < codes.length; i++) most += (codes[i] as FieldCode).bytes.length + INTEGER_BYTES;
    return most;
  }

  /** Writes what was prepared, after a `:status` where there is one. Returns where it ends. */
  write(into: Uint8Array, at: number, status: number | undefined): number {
    let end = this.#leastBytes === undefined ? at : this.#announce(into, at);
    if (status !== undefined) end = putStatus(into, end, status);
    const codes = this.#codes;
    for (let i = 0; i < codes.length; i++) end = this.#field(into, end, codes[i] as FieldCode);
    this.#codes = NO_CODES;
    return end;
  }

  #field(into: Uint8Array, at: number, code: FieldCode): number {
    if (code.fixed > 0) return putInteger(into, at, 0x7f, 0x80, code.fixed);
    if (code.indexed) {
      const known = this.#table.get(code);
      if (known !== undefined) return putInteger(into, at, 0x7f, 0x80, STATIC_ENTRIES + this.#inserted - known + 1);
      this.#insert(code);
    }
    const { bytes } = code;
    // Shorter than what a call of set() costs.
    for (let i = 0; i < bytes.length; i++) into[at + i] = bytes[i] as number;
    return at + bytes.length;
  }

  /** The literal that is written does the same at the peer. */
  #insert(code: FieldCode): void {
    this.#evict(code.size);
    if (code.size > this.#maxBytes) return;
    this.#table.set(code, ++this.#inserted);
    this.#bytes += code.size;
  }

  #evict(room: number): void {
    if (this.#bytes + room <= this.#maxBytes) return;
    for (const code of this.#table.keys()) {
      this.#table.delete(code);
      this.#bytes -= code.size;
      if (this.#bytes + room <= this.#maxBytes) return;
    }
  }

  #announce(into: Uint8Array, at: number): number {
    const least = this.#leastBytes as number;
    this.#leastBytes = undefined;
    const end = least < this.#maxBytes ? putInteger(into, at, 0x1f, 0x20, least) : at;
    return putInteger(into, end, 0x1f, 0x20, this.#maxBytes);
  }
}

function putStatus(into: Uint8Array, at: number, status: number): number {
  let end = at;
  const fixed = FIXED_STATUS.get(status);
  if (fixed !== undefined) {
    into[end++] = 0x80 | fixed;
    return end;
  }
  // A literal that is not indexed, with the name of entry 8.
  into[end++] = 8;
  into[end++] = 3;
  into[end++] = 0x30 + Math.floor(status / 100);
  into[end++] = 0x30 + (Math.floor(status / 10) % 10);
  into[end++] = 0x30 + (status % 10);
  return end;
}

const FIXED_STATUS = new Map(
  [200, 204, 206, 304, 400, 404, 500].map((status) => [status, staticField(':status', `${status}`)]),
);
