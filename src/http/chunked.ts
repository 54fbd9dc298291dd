// The chunked coding (RFC 9112 section 7.1), read incrementally and strictly. Extensions are checked, counted and
// dropped; line ends are CRLF only; sizes have no white space around them. Pure: bytes in, slices out.

import { ownCopy } from '../net/own-copy.ts';
import type { RawHeaders } from './fields.ts';
import { readFields } from './head.ts';

export interface ChunkSink {
  /** A slice of the body, good during the call only. */
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

/** Chunks of one feed that are smaller than this are given together: what takes a slice has work to do for each. */
const GATHER_BYTES = 4096;
/** Where they are gathered: empty whenever a sink is called, so that all readers share it. */
const GATHERED = Buffer.allocUnsafeSlow(4 * GATHER_BYTES);
const LOOP_BYTES = 32;

const State = { size: 0, extension: 1, sizeEnd: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6, done: 7 } as const;
type State = (typeof State)[keyof typeof State];

export class ChunkedReader {
  #state: State = State.size;
  #digits = 0;
  #remaining = 0;
  #extensionBytes = 0;
  #trailerText = '';
  /** A small slice of the present feed that was not given yet; none where its end is 0. */
  #heldStart = 0;
  #heldEnd = 0;
  /** Bytes of this feed that are gathered, the held ones among them. */
  #gathered = 0;
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
    const end = this.#read(bytes, from, sink);
    this.#giveHeld(bytes, sink);
    return end;
  }

  #read(bytes: Buffer, from: number, sink: ChunkSink): number {
    let at = from;
    while (at < bytes.length && this.#state !== State.done) {
      if (this.#state === State.data) {
        const end = Math.min(bytes.length, at + this.#remaining);
        this.#remaining -= end - at;
        this.#give(bytes, at, end, sink);
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

  /** A small slice waits for others of the same feed; one that stays alone is given without a copy. */
  #give(bytes: Buffer, start: number, end: number, sink: ChunkSink): void {
    const size = end - start;
    if (size >= GATHER_BYTES) {
      this.#giveHeld(bytes, sink);
      sink.chunk(bytes.subarray(start, end));
      return;
    }
    if (this.#gathered + size > GATHERED.length) this.#giveHeld(bytes, sink);
    if (this.#heldEnd === 0) {
      this.#heldStart = start;
      this.#heldEnd = end;
      return;
    }
    if (this.#gathered === 0) this.#gather(bytes, this.#heldStart, this.#heldEnd);
    this.#gather(bytes, start, end);
  }

  #gather(bytes: Buffer, start: number, end: number): void {
    // A call of copy() costs more than a few bytes do.
    if (end - start > LOOP_BYTES) bytes.copy(GATHERED, this.#gathered, start, end);
    else for (let i = start; i < end; i++) GATHERED[this.#gathered + i - start] = bytes[i] as number;
    this.#gathered += end - start;
  }

  #giveHeld(bytes: Buffer, sink: ChunkSink): void {
    const end = this.#heldEnd;
    if (end === 0) return;
    const gathered = this.#gathered;
    this.#heldEnd = 0;
    this.#gathered = 0;
    // Not where they were gathered: whoever is given them may begin another body.
    sink.chunk(gathered > 0 ? ownCopy(GATHERED.subarray(0, gathered)) : bytes.subarray(this.#heldStart, end));
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
