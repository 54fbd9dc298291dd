// When a client of gRPC has said its first message: a prefix of five bytes, the last four of which are its length (gRPC over
// HTTP/2). Until then it owes bytes like everybody who sends a body; after it, it may be silent.

const PREFIX_BYTES = 5;

export class FirstMessage {
  #prefix = 0;
  #length = 0;
  #left = PREFIX_BYTES;

  get whole(): boolean {
    return this.#left === 0;
  }

  /** The next bytes of the body. */
  read(chunk: Buffer): void {
    let at = 0;
    while (this.#prefix < PREFIX_BYTES && at < chunk.length) {
      if (this.#prefix > 0) this.#length = this.#length * 256 + (chunk[at] as number);
      at++;
      this.#left = ++this.#prefix < PREFIX_BYTES ? PREFIX_BYTES - this.#prefix : this.#length;
    }
    this.#left = Math.max(0, this.#left - (chunk.length - at));
  }
}
