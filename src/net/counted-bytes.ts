// Bytes that come in pieces, copied into blocks of their own, since a slice would hold on to the buffer that it was cut from.
// Each block is as large as all before it, and none is copied again: what grows leaves no garbage. They are counted to an account.

import type { Account } from './budget.ts';

const NOTHING = Buffer.alloc(0);

export class CountedBytes {
  readonly #account: Account;
  readonly #most: number;
  readonly #blocks: Buffer[] = [];
  /** Of all blocks together. */
  #room = 0;
  #length = 0;

  /** `most`: how many bytes are taken. */
  constructor(account: Account, most: number) {
    this.#account = account;
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  /** In one piece; made anew with each call where there are several blocks. */
  get bytes(): Buffer {
    const [first = NOTHING] = this.#blocks;
    if (this.#blocks.length > 1) return Buffer.concat(this.#blocks, this.#length);
    return first.subarray(0, this.#length);
  }

  /** A block is `least` bytes at least, for whoever comes in small pieces. False: too many; none of these was kept. */
  add(chunk: Buffer, least: number): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#most) return false;
    const free = this.#room - this.#length;
    const last = this.#blocks[this.#blocks.length - 1];
    if (last !== undefined && free > 0) chunk.copy(last, last.length - free, 0, free);
    if (chunk.length > free) {
      const bytes = Math.min(this.#most - this.#room, Math.max(chunk.length - free, least, this.#room));
      const block = Buffer.allocUnsafeSlow(bytes);
      chunk.copy(block, 0, free);
      this.#blocks.push(block);
      this.#room += bytes;
      this.#account.count(bytes);
    }
    this.#length = length;
    return true;
  }

  drop(): void {
    this.#account.count(-this.#room);
    this.#blocks.length = 0;
    this.#room = 0;
    this.#length = 0;
  }
}
