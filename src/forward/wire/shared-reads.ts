// The buffers that connections to the app read into. Node names the buffer of a socket's next read when the one before it
// ends, so every idle connection reads into the same one: nothing of it may be kept, or the next answer, another
// client's, would overwrite it. In the middle of a large body a connection has a buffer of its own, which is passed on
// without a copy and comes back when the client has taken the bytes, so that a download makes no garbage.

import type { OnReadOpts } from 'node:net';

export interface Reader {
  /** Whether what comes next is more of a body. */
  readonly midBody: boolean;
  /** True: the bytes, or parts of them, are kept; then keep() gets the buffer that they are in. Up to COPY_BYTES are not. */
  take(bytes: Buffer): boolean;
  keep(buffer: Buffer): void;
}

/** Up to this size a copy is cheaper than a new buffer for the next read. */
export const COPY_BYTES = 4096;
const READ_BYTES = 65_536;
/** How many buffers wait for their next use at the most: 1 MiB. */
const MAX_SPARE = 16;

export class SharedReads {
  readonly #shared: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #spare: Buffer[] = [];

  /** The `onread` option of one socket. */
  into(reader: Reader): OnReadOpts {
    let own: Buffer | undefined;
    let large = false;
    return {
      buffer: () => {
        own = large && reader.midBody ? (this.#spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES)) : undefined;
        return own ?? this.#shared;
      },
      callback: (length, buffer) => {
        const bytes = (buffer as Buffer).subarray(0, length);
        large = length > COPY_BYTES;
        if (buffer !== own) reader.take(large ? Buffer.from(bytes) : bytes);
        else if (reader.take(bytes)) reader.keep(own);
        else this.giveBack(own);
        return true;
      },
    };
  }

  /** Nobody holds bytes of it any more. */
  giveBack(buffer: Buffer): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}
