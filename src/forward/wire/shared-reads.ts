// The buffers that connections to the app read into. Node names the buffer of a socket's next read when the one before it
// ends, so every idle connection reads into the same one: nothing of it may be kept, or the next answer, another
// client's, would overwrite it. In the middle of a large body a connection reads into a slab of its own, whose bytes are
// passed on without a copy, but for those of its first read and of the first after a pause; it is used again when the last of
// them has been taken, so that a download makes no garbage.

import type { OnReadOpts } from 'node:net';
import { type Slab, Slabs } from '../../net/slabs.ts';

export interface Reader {
  /** More of a body comes, and is read as soon as it is there. */
  readonly midBody: boolean;
  /** Without a slab, `bytes` are good during the call only; with one, as long as it is held. Never throws. */
  take(bytes: Buffer, slab: Slab | undefined): void;
}

/** Up to this size a copy is cheaper than a buffer that somebody else has to give back. */
export const COPY_BYTES = 4096;
const READ_BYTES = 65_536;
/**
 * How many slabs wait for their next use at the most, 16 MiB: as many as there are connections to the app by default. With a
 * quarter of them, 200 answers of 1 MiB at once took a third more CPU time, in making new ones and collecting the old.
 */
const MAX_SPARE = 256;

const slabs = new Slabs(READ_BYTES, MAX_SPARE);

export class SharedReads {
  readonly #shared: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /** The `onread` option of one socket, and what to call when that is closed: nothing reads into its slab any more. */
  into(reader: Reader): { onread: OnReadOpts; closed: () => void } {
    /** Named for the next read. */
    let own: Slab | undefined;
    let large = false;
    const onread: OnReadOpts = {
      buffer: () => {
        own = large && reader.midBody ? slabs.take() : undefined;
        return own?.buffer ?? this.#shared;
      },
      callback: (length, buffer) => {
        large = length > COPY_BYTES;
        const named = own;
        own = undefined;
        const slab = named ?? (large ? slabs.take() : undefined);
        if (slab === undefined) {
          reader.take((buffer as Buffer).subarray(0, length), undefined);
          return true;
        }
        if (named === undefined) (buffer as Buffer).copy(slab.buffer, 0, 0, length);
        slab.hold();
        reader.take(slab.buffer.subarray(0, length), slab);
        slab.release();
        return true;
      },
    };
    const closed = (): void => {
      if (own !== undefined) slabs.keep(own);
      own = undefined;
    };
    return { onread, closed };
  }
}
