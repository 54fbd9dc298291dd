// Where the body of an HTTP/1.1 message ends (RFC 9112 section 6.3): after a length, after the last chunk, or when the
// connection closes. Which of these holds has been settled before; one reader serves all messages of a connection.

import { ChunkedReader, type ChunkLimits, type ChunkSink } from './chunked.ts';
import type { RawHeaders } from './fields.ts';

export type Framing = 'length' | 'chunked' | 'until-close';

export class BodyReader {
  readonly #limits: ChunkLimits;
  #framing: Framing = 'length';
  #left = 0;
  #chunks: ChunkedReader | undefined = undefined;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  /** The body of the next message; `length` in bytes counts for that framing only. */
  begin(framing: Framing, length: number): void {
    this.#framing = framing;
    this.#left = length;
    this.#chunks = framing === 'chunked' ? new ChunkedReader(this.#limits) : undefined;
  }

  /** Whether the last byte has been read; never for `until-close`. */
  get done(): boolean {
    if (this.#framing === 'length') return this.#left === 0;
    return this.#chunks?.done === true;
  }

  get untilClose(): boolean {
    return this.#framing === 'until-close';
  }

  get trailers(): RawHeaders | undefined {
    return this.#chunks?.trailers;
  }

  /** Gives body bytes to the sink; small chunks come together. Returns how many were used, or -1 when the coding is broken. */
  feed(bytes: Buffer, sink: ChunkSink): number {
    if (this.#chunks !== undefined) return this.#chunks.feed(bytes, 0, sink);
    const used = this.#framing === 'length' ? Math.min(bytes.length, this.#left) : bytes.length;
    if (this.#framing === 'length') this.#left -= used;
    if (used > 0) sink.chunk(used === bytes.length ? bytes : bytes.subarray(0, used));
    return used;
  }
}
