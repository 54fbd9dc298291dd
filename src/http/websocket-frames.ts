// Where the frames of a WebSocket begin and end in a stream of bytes (RFC 6455 section 5.2), for whoever has to put a frame of
// its own between two of them. It reads heads alone: no byte of a payload is looked at, and nothing is judged.

import { randomBytes } from 'node:crypto';

/** The head of a frame: two bytes, up to eight of a longer length, and the four of a mask. */
const SHORT = 125;
const LENGTH_BYTES: Readonly<Record<number, number>> = { 126: 2, 127: 8 };
const MASK_BYTES = 4;
const CLOSE = 8;
/** RFC 6455 section 7.4.1: an endpoint is going away, such as a server going down. */
const GOING_AWAY = 1001;

/** The frames of one direction. */
export class FrameTrack {
  /** Bytes of the head that have come, and those that belong to it as far as is known. */
  #headBytes = 0;
  #headLength = 2;
  #lengthEnd = 2;
  #opcode = 0;
  #payload = 0;
  #closing = false;

  /** No frame has begun, or the last one is whole. */
  get atBoundary(): boolean {
    return this.#headBytes === 0 && this.#payload === 0;
  }

  /** A frame has begun, or ended, that says that no other one follows. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Counts bytes, all of them or only up to the first boundary; returns how many. */
  take(chunk: Buffer, toBoundary = false): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headBytes === 0 && this.#payload > 0) {
        const bytes = Math.min(this.#payload, chunk.length - at);
        this.#payload -= bytes;
        at += bytes;
      } else {
        this.#head(chunk[at++] as number);
      }
      if (toBoundary && this.atBoundary) break;
    }
    return at;
  }

  #head(byte: number): void {
    const at = this.#headBytes++;
    if (at === 0) this.#opcode = byte & 0x0f;
    else if (at === 1) this.#begin(byte);
    else if (at < this.#lengthEnd) this.#payload = this.#payload * 256 + byte;
    if (this.#headBytes < this.#headLength) return;
    this.#headBytes = 0;
    this.#headLength = 2;
    if (this.#opcode === CLOSE) this.#closing = true;
  }

  #begin(byte: number): void {
    const length = byte & 0x7f;
    const more = LENGTH_BYTES[length] ?? 0;
    this.#payload = length <= SHORT ? length : 0;
    this.#lengthEnd = 2 + more;
    this.#headLength = this.#lengthEnd + (byte > 0x7f ? MASK_BYTES : 0);
  }
}

/** The frame by which a server, or as RFC 6455 section 5.3 asks of it a client, says that it goes away. */
export function goingAway(from: 'server' | 'client'): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(GOING_AWAY);
  if (from === 'server') return Buffer.concat([Buffer.from([0x80 | CLOSE, code.length]), code]);
  const mask = randomBytes(MASK_BYTES);
  const masked = code.map((byte, i) => byte ^ (mask[i] as number));
  return Buffer.concat([Buffer.from([0x80 | CLOSE, 0x80 | code.length]), mask, masked]);
}
