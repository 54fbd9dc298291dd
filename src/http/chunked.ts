// The chunked coding (RFC 9112 section 7.1), read incrementally and strictly. Extensions are checked, counted and
// dropped; line ends are CRLF only; sizes have no white space around them. Pure: bytes in, slices out.

import type { RawHeaders } from './fields.ts';
import { readFields } from './head.ts';

export interface ChunkSink {
  /** A slice of the body; it shares memory with the bytes that were fed. */
  chunk(data: Buffer): void;
}

export type ChunkLimits = { readonly maxTrailerBytes: number; readonly maxFields: number };

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
/** All extensions of one body together; more is an attack (CVE-2024-22019), nobody sends them. */
const MAX_EXTENSION_BYTES = 4096;
/** 2^48 bytes a chunk: far above any real one, far below where numbers lose precision. */
const MAX_SIZE_DIGITS = 12;

const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  HEX['0123456789abcdef'.charCodeAt(i)] = i;
  HEX['0123456789ABCDEF'.charCodeAt(i)] = i;
}

const State = { size: 0, extension: 1, sizeEnd: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6, done: 7 } as const;
type State = (typeof State)[keyof typeof State];

export class ChunkedReader {
  #state: State = State.size;
  #digits = 0;
  #remaining = 0;
  #extensionBytes = 0;
  #trailerText = '';
  readonly #limits: ChunkLimits;
  /** The trailer fields, after feed() has said that the body is complete; undefined when there were none. */
  trailers: RawHeaders | undefined;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#state === State.done;
  }

  /**
   * Reads bytes from `from`, giving body slices to the sink. Returns the index after the last byte that belongs to
   * the body (smaller than the length only when the body is complete), or -1 when the coding is broken.
   */
  feed(bytes: Buffer, from: number, sink: ChunkSink): number {
    let at = from;
    while (at < bytes.length && this.#state !== State.done) {
      if (this.#state === State.data) {
        const end = Math.min(bytes.length, at + this.#remaining);
        this.#remaining -= end - at;
        sink.chunk(bytes.subarray(at, end));
        at = end;
        if (this.#remaining === 0) this.#state = State.dataCr;
      } else if (this.#state === State.trailer) {
        at = this.#readTrailer(bytes, at);
        if (at < 0) return -1;
      } else if (!this.#step(bytes[at++] as number)) {
        return -1;
      }
    }
    return at;
  }

  /** One byte of a chunk's frame; false when it may not stand there. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case State.size:
        return this.#readSize(byte);
      case State.extension:
        if (byte === CR) this.#state = State.sizeEnd;
        else if ((byte < 0x20 && byte !== 9) || byte === 0x7f || ++this.#extensionBytes > MAX_EXTENSION_BYTES)
          return false;
        return true;
      case State.sizeEnd:
        this.#state = this.#remaining === 0 ? State.trailer : State.data;
        this.#digits = 0;
        return byte === LF;
      case State.dataCr:
        this.#state = State.dataLf;
        return byte === CR;
      case State.dataLf:
        this.#state = State.size;
        return byte === LF;
      default:
        return false;
    }
  }

  #readSize(byte: number): boolean {
    const digit = HEX[byte] as number;
    if (digit >= 0) {
      this.#remaining = this.#remaining * 16 + digit;
      return ++this.#digits <= MAX_SIZE_DIGITS;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) this.#state = State.sizeEnd;
    else if (byte === SEMICOLON) this.#state = State.extension;
    else return false;
    return true;
  }

  #readTrailer(bytes: Buffer, from: number): number {
    const before = this.#trailerText.length;
    const room = this.#limits.maxTrailerBytes + 4 - before;
    this.#trailerText += bytes.toString('latin1', from, Math.min(bytes.length, from + room));
    const text = this.#trailerText;
    let end: number;
    if (text.startsWith('\r\n')) {
      end = 2;
    } else {
      const blank = text.indexOf('\r\n\r\n');
      if (blank < 0) return text.length >= this.#limits.maxTrailerBytes + 4 ? -1 : bytes.length;
      const fields: RawHeaders = [];
      if (readFields(text.slice(0, blank + 2), 0, this.#limits.maxFields, fields) !== undefined) return -1;
      this.trailers = fields;
      end = blank + 4;
    }
    this.#state = State.done;
    this.#trailerText = '';
    return from + end - before;
  }
}

/** The line before a chunk of `size` bytes. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}
