// The beginning of a request body, for the case that the app refuses the request unseen: it says GOAWAY and we cross it.
// Its bytes are copied into memory of their own, since a slice would hold on to the buffer that it was cut from, and they
// are counted to the client.

import type { Account } from '../net/budget.ts';

/** More than this is not kept: then a refusal is the client's to see. */
const MAX_KEPT_BYTES = 65_536;
const LEAST_STORE_BYTES = 512;
const NOTHING = Buffer.alloc(0);

export class KeptBody {
  readonly #account: Account;
  #store: Buffer = NOTHING;
  #length = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Whether it holds all that was added. */
  get whole(): boolean {
    return this.#length <= MAX_KEPT_BYTES;
  }

  get bytes(): Buffer {
    return this.whole ? this.#store.subarray(0, this.#length) : NOTHING;
  }

  add(chunk: Buffer): void {
    const from = this.#length;
    this.#length += chunk.length;
    if (!this.whole || this.#account.full) return this.drop();
    if (this.#length > this.#store.length) this.#grow(from);
    chunk.copy(this.#store, from);
  }

  /** A call of one message is held in as many bytes. */
  #grow(used: number): void {
    const least = used === 0 ? 0 : LEAST_STORE_BYTES;
    const bytes = Math.min(MAX_KEPT_BYTES, Math.max(this.#length, least, 2 * this.#store.length));
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#store.copy(larger, 0, 0, used);
    this.#keep(larger);
  }

  /** It is not needed any more. */
  drop(): void {
    this.#length = Number.POSITIVE_INFINITY;
    this.#keep(NOTHING);
  }

  #keep(store: Buffer): void {
    this.#account.count(store.length - this.#store.length);
    this.#store = store;
  }
}
