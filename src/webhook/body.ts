// The body of a review as it comes in, counted to the client.

import { UNKNOWN_LENGTH } from '../exchange.ts';
import type { Account } from '../net/budget.ts';
import { CountedBytes } from '../net/counted-bytes.ts';

/** Of one object the API server takes 3 MiB, twice etcd's limit of a request (k8s.io/apiserver, MaxRequestBodyBytes). */
export const MAX_REVIEW_BYTES = 3 << 20;
const LEAST_STORE_BYTES = 8192;

export class ReviewBody {
  readonly #body: CountedBytes;

  /** `expected`: how many bytes there will be, or UNKNOWN_LENGTH. */
  constructor(account: Account, expected: number) {
    const most = expected === UNKNOWN_LENGTH ? MAX_REVIEW_BYTES : Math.min(expected, MAX_REVIEW_BYTES);
    this.#body = new CountedBytes(account, most);
  }

  get bytes(): Buffer {
    return this.#body.bytes;
  }

  /** False: it is too large, and this piece of it was not kept. */
  add(chunk: Buffer): boolean {
    return this.#body.add(chunk, LEAST_STORE_BYTES);
  }

  /** It is not needed any more. */
  drop(): void {
    this.#body.drop();
  }
}
