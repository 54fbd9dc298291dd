// The bytes of a connection that came and are not used yet. What one read brought stays where it is, and nothing is
// copied; what comes in pieces is gathered in memory that grows by half, and the search for the end of a head goes on
// where it ended. So bytes that come one by one cost no more than in proportion to their number.

import { findHeadEnd, hasBareLineFeed } from './head.ts';

/** What headEnd() says where there is no end of a head to use: wait, or refuse. */
export const NoHead = { incomplete: -1, tooLarge: -2, bareLineFeed: -3 } as const;

const HEAD_END_BYTES = 4;
const LEAST_STORE_BYTES = 512;

export class UnreadBytes {
  #bytes: Buffer | undefined = undefined;
  /** Memory of our own that #bytes is a part of, with room behind it; undefined while they are in somebody else's. */
  #store: Buffer | undefined = undefined;
  /** Where #bytes ends in #store. */
  #storeEnd = 0;
  /** In how many of the bytes no head ends. */
  #searched = 0;

  /** What is unread; undefined where there is nothing. The memory is not written again, as long as own() is called in time. */
  get bytes(): Buffer | undefined {
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Where nothing was unread, `bytes` are kept as they are: nobody may write over them before they are used, or owned. */
  push(bytes: Buffer): void {
    if (this.#bytes === undefined) this.#bytes = bytes;
    else this.#append(this.#bytes, bytes);
  }

  /** The first `count` bytes have been used. */
  skip(count: number): void {
    const bytes = this.#bytes;
    if (bytes === undefined || count >= bytes.length) return this.clear();
    this.#bytes = bytes.subarray(count);
    this.#searched = 0;
  }

  /** For a reader whose buffer is written again after this: what is left moves into memory of our own. */
  own(): void {
    if (this.#bytes !== undefined && this.#store === undefined) this.#move(this.#bytes, this.#bytes.length);
  }

  clear(): void {
    this.#bytes = undefined;
    this.#store = undefined;
    this.#searched = 0;
  }

  /**
   * Index of the CR LF CR LF that ends the head at the front, or one of NoHead. The head begins at `start` and has at most
   * `maxBytes` before that index. A line feed alone is told before the end has come, as no valid head has one.
   */
  headEnd(maxBytes: number, start = 0): number {
    const bytes = this.#bytes;
    if (bytes === undefined) return NoHead.incomplete;
    const searched = this.#searched;
    const end = findHeadEnd(bytes, Math.max(start, searched - HEAD_END_BYTES + 1));
    if (end >= 0) return end - start > maxBytes ? NoHead.tooLarge : end;
    if (bytes.length - start > maxBytes + HEAD_END_BYTES) return NoHead.tooLarge;
    this.#searched = bytes.length;
    return hasBareLineFeed(bytes, searched) ? NoHead.bareLineFeed : NoHead.incomplete;
  }

  #append(before: Buffer, bytes: Buffer): void {
    const length = before.length + bytes.length;
    let store = this.#store;
    if (store === undefined || this.#storeEnd + bytes.length > store.length)
      store = this.#move(before, Math.max(LEAST_STORE_BYTES, length + (length >> 1)));
    bytes.copy(store, this.#storeEnd);
    this.#storeEnd += bytes.length;
    this.#bytes = store.subarray(this.#storeEnd - length, this.#storeEnd);
  }

  /** What was handed out of the old memory stays there as it was. */
  #move(bytes: Buffer, size: number): Buffer {
    // Not out of Node's pool, of which a few bytes would hold 8 KiB.
    const store = Buffer.allocUnsafeSlow(size);
    bytes.copy(store);
    this.#store = store;
    this.#storeEnd = bytes.length;
    this.#bytes = store.subarray(0, bytes.length);
    return store;
  }
}
