// The dynamic table of one direction of a connection, on the reading side (RFC 7541 sections 2.3.2 and 4): a ring of
// entries, newest first, that never hold more than its size. It is bounded by what we announce, whatever the peer does.

import { ENTRY_BYTES, type Field } from './field.ts';

export class DynamicTable {
  /** As many entries as fit at the least; a power of two. */
  readonly #ring: (Field | undefined)[];
  readonly #mask: number;
  /** What we announced. */
  readonly #limit: number;
  #maxBytes: number;
  #bytes = 0;
  #newest = 0;
  #count = 0;

  constructor(maxBytes: number) {
    this.#limit = maxBytes;
    this.#maxBytes = maxBytes;
    let places = 1;
    while (places < maxBytes / ENTRY_BYTES) places *= 2;
    this.#ring = [];
    this.#mask = places - 1;
  }

  /** Entry 0 is the newest; undefined when there is none. */
  get(index: number): Field | undefined {
    return index < this.#count ? this.#ring[(this.#newest - index) & this.#mask] : undefined;
  }

  add(field: Field): void {
    this.#evict(field.size);
    // Section 4.4: an entry that is larger than the table empties it, and that is no error.
    if (field.size > this.#maxBytes) return;
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#bytes += field.size;
  }

  /** The peer's own choice below what we announced. False: it is above. */
  resize(maxBytes: number): boolean {
    if (maxBytes > this.#limit) return false;
    this.#maxBytes = maxBytes;
    this.#evict(0);
    return true;
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#bytes + room > this.#maxBytes) {
      const oldest = (this.#newest - this.#count + 1) & this.#mask;
      this.#bytes -= this.#ring[oldest]?.size ?? 0;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }
}
