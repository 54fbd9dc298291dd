// The beginning of a request body, for the case that the app refuses the request unseen: it says GOAWAY and we cross it.
// It is counted to the client.

import type { Account } from '../net/budget.ts';
import { CountedBytes } from '../net/counted-bytes.ts';

/** More than this is not kept: then a refusal is the client's to see. */
const MAX_KEPT_BYTES = 65_536;
const LEAST_STORE_BYTES = 512;

export class KeptBody {
  /** It holds all that was added. */
  whole = true;
  readonly #account: Account;
  readonly #kept: CountedBytes;

  constructor(account: Account) {
    this.#account = account;
    this.#kept = new CountedBytes(account, MAX_KEPT_BYTES);
  }

  get bytes(): Buffer {
    return this.#kept.bytes;
  }

  add(chunk: Buffer): void {
    if (!this.whole) return;
    // A call of one message is held in as many bytes.
    const least = this.#kept.length === 0 ? 0 : LEAST_STORE_BYTES;
    if (this.#account.full || !this.#kept.add(chunk, least)) this.drop();
  }

  /** It is not needed any more. */
  drop(): void {
    this.whole = false;
    this.#kept.drop();
  }
}
