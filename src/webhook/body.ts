// The body of a review as it comes in, in memory of its own that grows with it and is counted to the client. A piece costs a
// copy, however small: kept slices would hold on to the buffers that they were cut from.

import { UNKNOWN_LENGTH } from '../exchange.ts';
import type { Account } from '../net/budget.ts';

/** Of one object the API server takes 3 MiB, twice etcd's limit of a request (k8s.io/apiserver, MaxRequestBodyBytes). */
export const MAX_REVIEW_BYTES = 3 << 20;
const LEAST_STORE_BYTES = 8192;
const NOTHING = Buffer.alloc(0);

export class ReviewBody {
  readonly #account: Account;
  readonly #most: number;
  #store: Buffer = NOTHING;
  #length = 0;

  /** `expected`: how many bytes there will be, or UNKNOWN_LENGTH. */
  constructor(account: Account, expected: number) {
    this.#account = account;
    this.#most = expected === UNKNOWN_LENGTH ? MAX_REVIEW_BYTES : Math.min(expected, MAX_REVIEW_BYTES);
  }

  get bytes(): Buffer {
    return this.#store.subarray(0, this.#length);
  }

  /** False: it is too large, and this piece of it was not kept. */
  add(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#most) return false;
    if (length > this.#store.length) {
      const bytes = Math.min(this.#most, Math.max(length, LEAST_STORE_BYTES, 2 * this.#store.length));
      const larger = Buffer.allocUnsafeSlow(bytes);
      this.#store.copy(larger, 0, 0, this.#length);
      this.#keep(larger);
    }
    chunk.copy(this.#store, this.#length);
    this.#length = length;
    return true;
  }

  /** It is not needed any more. */
  drop(): void {
    this.#length = 0;
    this.#keep(NOTHING);
  }

  #keep(store: Buffer): void {
    this.#account.count(store.length - this.#store.length);
    this.#store = store;
  }
}
