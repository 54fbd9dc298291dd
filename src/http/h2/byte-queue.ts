// Bytes that wait, in copies of their own: however small the pieces in which they came, no more is held than the bytes and
// at most one block of room. Large pieces whose giver can be told when they are done with wait as they are. All of it is
// counted to an account.

import type { Account } from '../../net/budget.ts';

const FIRST_BLOCK = 512;
const BLOCK = 4096;

export class ByteQueue {
  readonly #account: Account;
  readonly #blocks: Buffer[] = [];
  /** Beside each block, who is told when it is not needed any more, and whether there is room behind its bytes. */
  readonly #releases: ((() => void) | undefined)[] = [];
  /** Where the bytes begin in the first block, and end in the last one. */
  #from = 0;
  #to = 0;
  length = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  append(bytes: Buffer): void {
    this.#count(bytes.length);
    const last = this.#blocks[this.#blocks.length - 1];
    let used = 0;
    // Of a piece that is lent, #to is the end.
    if (last !== undefined && this.#to < last.length) {
      used = bytes.copy(last, this.#to);
      this.#to += used;
    }
    if (used < bytes.length) this.#grow(bytes, used);
  }

  #grow(bytes: Buffer, from: number): void {
    const left = bytes.length - from;
    // As much again as there is: small pieces cost few blocks, and little room.
    const least = Math.min(BLOCK, Math.max(FIRST_BLOCK, this.length));
    const block = Buffer.allocUnsafeSlow(Math.max(left, least));
    this.#to = bytes.copy(block, 0, from);
    this.#blocks.push(block);
    this.#releases.push(undefined);
  }

  /** A piece that is not copied: `release` is called when it is done with, at the latest by clear(). */
  lend(bytes: Buffer, release: () => void): void {
    const last = this.#blocks[this.#blocks.length - 1];
    // What is behind the bytes of the last block is no part of the queue.
    if (last !== undefined && this.#to < last.length)
      this.#blocks[this.#blocks.length - 1] = last.subarray(0, this.#to);
    this.#count(bytes.length);
    this.#to = bytes.length;
    this.#blocks.push(bytes);
    this.#releases.push(release);
  }

  /** After take(): its bytes have been used. */
  used(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }

  /** What used() calls. */
  #done: (() => void) | undefined = undefined;

  /**
   * The first bytes, at most `most`, and not more than lie together; undefined when there are none, or none is wanted. They are
   * not in the queue any more; with pieces that were lent, used() has to follow. Behind the bytes of a block is memory that
   * was never written, which must not get out.
   */
  take(most: number): Buffer | undefined {
    const first = this.#blocks[0];
    if (first === undefined || most <= 0) return undefined;
    const end = this.#blocks.length === 1 ? this.#to : first.length;
    const to = Math.min(end, this.#from + most);
    const taken = first.subarray(this.#from, to);
    this.#count(-taken.length);
    this.#from = to;
    if (to === end) {
      this.#blocks.shift();
      this.#done = this.#releases.shift();
      this.#from = 0;
      if (this.#blocks.length === 0) this.#to = 0;
    }
    return taken;
  }

  clear(): void {
    for (const release of this.#releases) release?.();
    this.#releases.length = 0;
    this.#blocks.length = 0;
    this.#from = 0;
    this.#to = 0;
    this.#count(-this.length);
  }

  #count(bytes: number): void {
    this.length += bytes;
    this.#account.count(bytes);
  }
}
