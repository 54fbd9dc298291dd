// The buffers that all connections to the app read into, one connection after the other: without them Node allocates
// 64 KiB for every read, of which a small answer uses a hundredth. A large body is passed on without a copy: its buffer
// is given away, and comes back when the client has taken the bytes, so that a download makes no garbage.

import type { OnReadOpts } from 'node:net';

export interface Reader {
  /** True: the bytes, or parts of them, are kept; then keep() gets the buffer that they are in. */
  take(bytes: Buffer): boolean;
  keep(buffer: Buffer): void;
}

const READ_BYTES = 65_536;
/** How many buffers wait for their next use at the most: 1 MiB. */
const MAX_SPARE = 16;

export class SharedReads {
  #buffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #spare: Buffer[] = [];

  /** The `onread` option of one socket. */
  into(reader: Reader): OnReadOpts {
    return {
      buffer: () => this.#buffer,
      callback: (length, buffer) => {
        if (!reader.take((buffer as Buffer).subarray(0, length))) return true;
        reader.keep(buffer as Buffer);
        if (buffer === this.#buffer) this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
        return true;
      },
    };
  }

  /** Nobody holds bytes of it any more. */
  giveBack(buffer: Buffer): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}
