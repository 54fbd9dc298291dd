// What a peer may still send on all streams of a connection together (RFC 9113 section 5.2): little at first, more as bytes
// are taken, and more again for streams that are fast. Bytes that wait for their taker would use it up, and hold up all
// other streams; they are replaced as long as the account has room. After that the connection is read no faster than what
// it sent is taken.

import type { Account } from '../../net/budget.ts';
import { FIRST_WINDOW } from './frames.ts';

export type WindowOptions = {
  /** What the peer may have outstanding while nothing waits: at first, and after as much has been taken. */
  readonly first: number;
  readonly most: number;
  /** Beyond that, for streams whose bytes are taken as fast as they come. */
  readonly spare: number;
};

/** The window is opened when so much of it is used up, or only this part is left: each time costs a frame, often a write. */
const UNRETURNED = 262_144;
const LOW_PART = 4;
/** Less than this is not worth a frame. */
const LEAST_PART = 8;

export class ConnectionWindow {
  readonly #account: Account;
  readonly #most: number;
  #spare: number;
  /** What it is to be, while nothing waits; of that, what it was at first, and what was lent to streams. */
  #size: number;
  readonly #first: number;
  #base: number;
  #left: number;
  /** Received, and not taken. */
  #held = 0;
  #progress = 0;

  constructor({ first, most, spare }: WindowOptions, account: Account) {
    this.#account = account;
    this.#first = first;
    this.#base = first;
    this.#size = first;
    this.#left = first;
    this.#most = most;
    this.#spare = spare;
  }

  /** By how much the window is to be opened at first. */
  get opening(): number {
    return this.#first - FIRST_WINDOW;
  }

  /** Counts a frame. False: it is more than was allowed. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    this.#held += bytes;
    return this.#left >= 0;
  }

  /** These bytes are not held any more. Returns by how much the window is to be opened now, mostly 0. */
  take(bytes: number): number {
    this.#held -= bytes;
    this.#progress += bytes;
    if (this.#progress >= this.#base) this.#grow();
    return this.#low || this.#left <= this.#size - UNRETURNED ? this.#open() : 0;
  }

  /** Bytes have come that wait. Returns by how much the window is to be opened so that others need not wait for them. */
  replace(): number {
    return this.#low ? this.#open() : 0;
  }

  /** What waits leaves no room for anything else. */
  get choked(): boolean {
    return this.#low && this.#account.full;
  }

  /**
   * Nothing of what waits can be let go: returns by how much the window is to be opened for what moves. Streams that wait have
   * used up their own windows, so that only those use it.
   */
  leaveRoom(): number {
    const opened = FIRST_WINDOW - this.#left;
    if (opened * LEAST_PART < FIRST_WINDOW) return 0;
    this.#left += opened;
    return opened;
  }

  get #low(): boolean {
    return this.#left * LOW_PART <= this.#size;
  }

  #open(): number {
    const wanted = this.#account.full ? this.#size - this.#held : this.#size;
    const opened = wanted - this.#left;
    if (opened * LEAST_PART < this.#size) return 0;
    this.#left += opened;
    return opened;
  }

  #grow(): void {
    this.#progress = 0;
    const more = Math.min(this.#base, this.#most - this.#base);
    if (more <= 0 || !this.#account.lend(more)) return;
    this.#base += more;
    this.#size += more;
  }

  /** What a stream may have beyond its first window: that many bytes, or none. */
  borrow(bytes: number, account: Account): number {
    if (bytes > this.#spare || !account.lend(bytes)) return 0;
    this.#spare -= bytes;
    this.#size += bytes;
    return bytes;
  }

  giveBack(bytes: number, account: Account): void {
    this.#spare += bytes;
    this.#size -= bytes;
    account.giveBack(bytes);
  }

  /** The connection is gone. */
  close(): void {
    this.#account.giveBack(this.#base - this.#first);
    this.#base = this.#first;
  }
}
