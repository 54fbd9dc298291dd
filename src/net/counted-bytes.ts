// Bytes that come in pieces, copied into memory of their own that grows with them, since a slice would hold on to the buffer that
// it was cut from. The memory that they take is counted to an account.

import type { Account } from './budget.ts';

const NOTHING = Buffer.alloc(0);

export class CountedBytes {
  readonly #account: Account;
  readonly #most: number;
  #store: Buffer = NOTHING;
  #length = 0;

  /** `most`: how many bytes are taken. */
  constructor(account: Account, most: number) {
    this.#account = account;
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return this.#store.subarray(0, this.#length);
  }

  /** Memory that has to grow is `least` bytes at least, for whoever comes in small pieces. False: too many; none of these was kept. */
  add(chunk: Buffer, least: number): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#most) return false;
    if (length > this.#store.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#most, Math.max(length, least, 2 * this.#store.length)));
      this.#store.copy(larger, 0, 0, this.#length);
      this.#keep(larger);
    }
    chunk.copy(this.#store, this.#length);
    this.#length = length;
    return true;
  }

  drop(): void {
    this.#length = 0;
    this.#keep(NOTHING);
  }

  #keep(store: Buffer): void {
    this.#account.count(store.length - this.#store.length);
    this.#store = store;
  }
}
