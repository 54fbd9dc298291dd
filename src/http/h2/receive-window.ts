// What a peer may still send on one stream (RFC 9113 section 5.2). Bytes are given back only when they have been taken, many
// at a time. The window grows while it is taken as fast as it comes, out of what its connection can spare, so that one
// large upload runs at full speed and many that wait hold little.

import type { Account } from '../../net/budget.ts';
import type { ConnectionWindow } from './connection-window.ts';

export class ReceiveWindow {
  /** What the peer may have outstanding at the most. */
  #size: number;
  #left: number;
  #taken = 0;
  /** Of the size, what was borrowed. */
  #borrowed = 0;

  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** Counts a frame. False: it is more than was allowed. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /**
   * These bytes are not held any more. Returns by how much the window is to be opened now, mostly 0; it becomes twice as
   * large, up to `most`, where there is room.
   */
  takeAndGrow(bytes: number, connection: ConnectionWindow, account: Account, most: number): number {
    this.#taken += bytes;
    if (this.#taken * 2 < this.#size) return 0;
    let opened = this.#taken;
    this.#taken = 0;
    if (this.#size < most) {
      const more = connection.borrow(Math.min(this.#size, most - this.#size), account);
      this.#borrowed += more;
      this.#size += more;
      opened += more;
    }
    this.#left += opened;
    return opened;
  }

  /** The stream is over. */
  release(connection: ConnectionWindow, account: Account): void {
    if (this.#borrowed > 0) connection.giveBack(this.#borrowed, account);
    this.#borrowed = 0;
  }
}
