// Buffers of one size that whoever still needs their bytes holds, and that are used again when the last holder has let go.

import { Spares } from './spares.ts';

export class Slab {
  readonly buffer: Buffer;
  readonly #spare: Spares<Slab>;
  #holders = 0;

  constructor(bytes: number, spare: Spares<Slab>) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.#spare = spare;
  }

  hold(): void {
    this.#holders++;
  }

  /** Once for each hold(). Made once for the slab, so that it can be handed on as it is. */
  readonly release = (): void => {
    if (--this.#holders === 0) this.#spare.keep(this);
  };
}

/** One size of them, for as long as the process runs. */
export class Slabs {
  /** Of each, in bytes. */
  readonly bytes: number;
  readonly #spare: Spares<Slab>;

  /** `mostSpare` of them wait for their next use. */
  constructor(bytes: number, mostSpare: number) {
    this.bytes = bytes;
    this.#spare = new Spares(mostSpare);
  }

  /** Nobody holds it yet: give it back by keep(), or by hold() and release(). */
  take(): Slab {
    return this.#spare.take() ?? new Slab(this.bytes, this.#spare);
  }

  keep(slab: Slab): void {
    this.#spare.keep(slab);
  }
}
