// One buffer that all connections to the app read into, one after the other: without it Node allocates 64 KiB for every
// read, of which a small answer uses a hundredth. Whoever keeps bytes past the call says so, and the next read gets a
// new buffer; large bodies are therefore passed on without a copy.

import type { OnReadOpts } from 'node:net';

export interface Reader {
  /** True: the bytes, or parts of them, are kept. */
  take(bytes: Buffer): boolean;
}

const READ_BYTES = 65_536;

export class SharedReads {
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /** The `onread` option of one socket. */
  into(reader: Reader): OnReadOpts {
    return {
      buffer: () => this.#buffer,
      callback: (length, buffer) => {
        const kept = reader.take((buffer as Buffer).subarray(0, length));
        if (kept && buffer === this.#buffer) this.#buffer = Buffer.allocUnsafeSlow(READ_BYTES);
        return true;
      },
    };
  }
}
