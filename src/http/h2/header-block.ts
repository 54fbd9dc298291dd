// One header block out of a HEADERS frame and the CONTINUATIONs behind it (RFC 9113 sections 6.2 and 6.10). How many
// frames and bytes it may take is bounded before anything is decoded (CVE-2024-27316, CVE-2024-27983).

import { ownCopy } from '../../net/own-copy.ts';
import { Code, Flag, readUint31 } from './frames.ts';

/** Four frames of the usual size; more come from clients that make smaller ones. */
const MAX_FRAMES = 16;

export class HeaderBlock {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** The stream whose block is under way, or 0: until its end, no other frame may come. */
  id = 0;
  /** The flags of its HEADERS. */
  flags = 0;
  /** The stream that the one of the last block was made to depend on, or -1. */
  dependsOn = -1;
  /** Where the fragment of the last frame is. */
  from = 0;
  to = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Finds the fragment in a HEADERS frame: `from`, `to`, `dependsOn`. Returns what is wrong with the frame. */
  open(flags: number, bytes: Buffer, from: number, to: number): Code {
    this.from = from;
    this.to = to;
    this.dependsOn = -1;
    if ((flags & Flag.padded) !== 0) {
      if (from === to) return Code.frameSize;
      this.from++;
      this.to -= bytes[from] as number;
    }
    if ((flags & Flag.priority) !== 0) {
      if (this.to - this.from < 5) return Code.frameSize;
      this.dependsOn = readUint31(bytes, this.from);
      this.from += 5;
    }
    return this.to < this.from ? Code.protocol : Code.none;
  }

  /** The block goes on in CONTINUATIONs. */
  begin(id: number, flags: number, bytes: Buffer): void {
    this.id = id;
    this.flags = flags;
    this.#bytes = 0;
    this.#keep(bytes, this.from, this.to);
  }

  /** A CONTINUATION. False: too many, or too many bytes. */
  add(bytes: Buffer, from: number, to: number): boolean {
    this.#keep(bytes, from, to);
    return this.#parts.length <= MAX_FRAMES && this.#bytes <= this.#maxBytes;
  }

  /** The block, whole; none is under way any more. */
  take(): Buffer {
    const whole = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.id = 0;
    return whole;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.#bytes += to - from;
    this.#parts.push(ownCopy(bytes.subarray(from, to)));
  }
}
