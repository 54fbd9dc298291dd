// What a peer may still send, on one stream or on all (RFC 9113 section 5.2). Bytes are given back only when they have been
// taken, many at a time. A stream's window grows while it is taken as fast as it comes, out of what its connection can
// spare, so that one large upload runs at full speed and many that wait hold little.

/** What a connection lets its streams have beyond their first windows, all together. */
export class SpareWindow {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** As much of it as there is. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#left);
    this.#left -= taken;
    return taken;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

export class ReceiveWindow {
  /** What the peer may have outstanding at the most. */
  #size: number;
  #left: number;
  #taken = 0;
  readonly #most: number;
  /** Of the size, what was borrowed. */
  #borrowed = 0;

  /** `most`: bytes that were taken and are not given back yet, if that is less than half of the size. */
  constructor(size: number, most = Number.POSITIVE_INFINITY) {
    this.#most = most;
    this.#size = size;
    this.#left = size;
  }

  /** Counts a frame. False: it is more than was allowed. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** These bytes are not held any more. Returns by how much the window is to be opened now, mostly 0. */
  take(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken * 2 < this.#size && this.#taken < this.#most) return 0;
    const opened = this.#taken;
    this.#taken = 0;
    this.#left += opened;
    return opened;
  }

  /** As take(), and the window becomes twice as large, up to `most`, where there is room. */
  takeAndGrow(bytes: number, spare: SpareWindow, most: number): number {
    const opened = this.take(bytes);
    if (opened === 0 || this.#size >= most) return opened;
    const more = spare.take(Math.min(this.#size, most - this.#size));
    this.#borrowed += more;
    this.#size += more;
    this.#left += more;
    return opened + more;
  }

  /** The stream is over. */
  release(spare: SpareWindow): void {
    spare.giveBack(this.#borrowed);
    this.#borrowed = 0;
  }
}
