// Cuts frames out of what comes, in any pieces. DATA is given on as it comes; every other frame is given whole, and waits
// for its end in a copy of its own bytes, at most one frame. It checks sizes and padding, nothing else.

import { UnreadBytes } from '../unread.ts';
import { Code, Flag, FrameType, HEAD_BYTES, MAX_FRAME_BYTES, PREFACE } from './frames.ts';

export interface FrameSink {
  /** A whole frame other than DATA; its payload is `bytes` from `from` to `to`, good during the call. False: read no more. */
  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): boolean;
  /** A DATA frame begins: `length` counts for flow control, `padding` of it is none of the body's. False: read no more. */
  dataBegins(id: number, flags: number, length: number, padding: number): boolean;
  /** A slice of the body, in the bytes that were read; good during the call. False: read no more. */
  dataComes(bytes: Buffer): boolean;
  /** The frame is over, with its padding. False: read no more. */
  dataEnds(): boolean;
  /** What comes is no HTTP/2: nothing is read after it. */
  unreadable(code: Code, words: string): void;
}

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #unread = new UnreadBytes();
  #prefaceLeft: number;
  /** Frames that were whole. */
  count = 0;
  #inData = false;
  #dataLeft = 0;
  #paddingLeft = 0;

  /** `preface`: the peer is a client, which begins with it. */
  constructor(sink: FrameSink, preface: boolean) {
    this.#sink = sink;
    this.#prefaceLeft = preface ? PREFACE.length : 0;
  }

  /** Whether a frame other than DATA has begun and is not whole. */
  get waiting(): boolean {
    return this.#unread.length > 0;
  }

  read(chunk: Buffer): void {
    const unread = this.#unread;
    unread.push(chunk);
    const bytes = unread.bytes as Buffer;
    const at = this.#take(bytes);
    if (at !== 0) unread.clear();
    if (at < 0 || at === bytes.length) return;
    // At most one frame; the bytes that were read are let go.
    if (at > 0) unread.push(bytes.subarray(at));
    unread.own();
  }

  /** Returns how far it came, or -1 when nothing more is to be read. */
  #take(bytes: Buffer): number {
    const end = bytes.length;
    let at = this.#prefaceLeft > 0 ? this.#takePreface(bytes) : 0;
    while (at >= 0 && at < end) {
      if (this.#inData) {
        at = this.#takeData(bytes, at);
        continue;
      }
      if (end - at < HEAD_BYTES) return at;
      const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      if (length > MAX_FRAME_BYTES) return this.#stop(Code.frameSize, 'a frame above the largest size');
      const next =
        bytes[at + 3] === FrameType.data ? this.#beginData(bytes, at, length) : this.#takeFrame(bytes, at, length);
      if (next === at) return at;
      at = next;
    }
    return at;
  }

  #takePreface(bytes: Buffer): number {
    const from = PREFACE.length - this.#prefaceLeft;
    const length = Math.min(this.#prefaceLeft, bytes.length);
    if (bytes.compare(PREFACE, from, from + length, 0, length) !== 0)
      return this.#stop(Code.protocol, 'no preface of HTTP/2');
    this.#prefaceLeft -= length;
    return length;
  }

  #takeFrame(bytes: Buffer, at: number, length: number): number {
    const to = at + HEAD_BYTES + length;
    if (to > bytes.length) return at;
    const type = bytes[at + 3] as number;
    this.count++;
    return this.#sink.frame(type, bytes[at + 4] as number, idAt(bytes, at), bytes, at + HEAD_BYTES, to) ? to : -1;
  }

  #beginData(bytes: Buffer, at: number, length: number): number {
    const flags = bytes[at + 4] as number;
    let from = at + HEAD_BYTES;
    let padding = 0;
    if ((flags & Flag.padded) !== 0) {
      if (length === 0) return this.#stop(Code.frameSize, 'padding without room for it');
      if (from === bytes.length) return at;
      padding = (bytes[from++] as number) + 1;
      if (padding > length) return this.#stop(Code.protocol, 'padding above the length of its frame');
    }
    this.#inData = true;
    this.#dataLeft = length - padding;
    // The length of the padding has been read.
    this.#paddingLeft = padding > 0 ? padding - 1 : 0;
    if (!this.#sink.dataBegins(idAt(bytes, at), flags, length, padding)) return -1;
    return this.#dataLeft + this.#paddingLeft > 0 || this.#endData() ? from : -1;
  }

  #takeData(bytes: Buffer, at: number): number {
    let to = at;
    if (this.#dataLeft > 0) {
      to = Math.min(bytes.length, at + this.#dataLeft);
      this.#dataLeft -= to - at;
      if (!this.#sink.dataComes(at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to))) return -1;
    }
    const padding = Math.min(bytes.length - to, this.#paddingLeft);
    this.#paddingLeft -= padding;
    if (this.#dataLeft + this.#paddingLeft === 0 && !this.#endData()) return -1;
    return to + padding;
  }

  #endData(): boolean {
    this.#inData = false;
    this.count++;
    return this.#sink.dataEnds();
  }

  #stop(code: Code, words: string): number {
    this.#sink.unreadable(code, words);
    return -1;
  }
}

function idAt(bytes: Buffer, at: number): number {
  return (
    (((bytes[at + 5] as number) & 0x7f) << 24) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 8) |
    (bytes[at + 8] as number)
  );
}
