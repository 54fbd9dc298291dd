// The beginning of a request body, for the case that the app refuses the request unseen: it says GOAWAY and we cross it.
// Its bytes are copied, since a slice would hold on to the buffer that it was cut from.

/** More than this is not kept: then a refusal is the client's to see. */
const MAX_KEPT_BYTES = 65_536;

export class KeptBody {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Whether it holds all that was added. */
  get whole(): boolean {
    return this.#length <= MAX_KEPT_BYTES;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  add(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.whole) this.#chunks.push(Buffer.from(chunk));
    else this.#chunks = [];
  }

  /** It is not needed any more. */
  drop(): void {
    this.#length = Number.POSITIVE_INFINITY;
    this.#chunks = [];
  }
}
