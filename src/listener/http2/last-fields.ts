// What the request before on this connection had as fields: a client that asks again mostly says the same, and HPACK gives
// the same values. Then the list that was made of them serves again. Small, as an idle connection keeps it.

import type { RawHeaders } from '../../http/fields.ts';
import type { Field } from '../../http/hpack/field.ts';
import { keep } from '../../http/repeats.ts';

/** What was made of the fields behind the pseudo fields. */
export type ReadFields = {
  readonly headers: RawHeaders;
  /** As HTTP/1 would write them. */
  readonly bytes: number;
  readonly urgency: number;
};

const MAX_BYTES = 2048;

export class LastFields {
  readonly #fields: Field[] = [];
  #read: ReadFields | undefined = undefined;

  /** Where the fields from `from` on are those of the request before: what was made of them. */
  find(fields: readonly Field[], from: number): ReadFields | undefined {
    const last = this.#fields;
    if (this.#read === undefined || fields.length - from !== last.length) return undefined;
    for (let i = 0; i < last.length; i++) {
      const now = fields[from + i] as Field;
      const before = last[i] as Field;
      if (now !== before && (now.name !== before.name || now.value !== before.value)) return undefined;
    }
    // The second time: whatever follows from it is worth being remembered.
    keep(this.#read.headers);
    return this.#read;
  }

  saw(fields: readonly Field[], from: number, read: ReadFields): void {
    const last = this.#fields;
    last.length = 0;
    this.#read = undefined;
    if (read.bytes > MAX_BYTES) return;
    this.#read = read;
    for (let i = from; i < fields.length; i++) last.push(fields[i] as Field);
  }
}
