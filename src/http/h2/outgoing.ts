// What leaves on a connection of HTTP/2: header blocks, and bodies as far as the connection's window, the streams' windows
// and the socket let them. What does not fit waits in its stream, and is sent round robin when it does.

import type { RawHeaders } from '../fields.ts';
import { HpackEncoder } from '../hpack/encoder.ts';
import type { FrameWriter } from './frame-writer.ts';
import { type Code, DATA_BYTES, FIRST_WINDOW, Flag, FrameType, HEAD_BYTES, MAX_FRAME_BYTES } from './frames.ts';
import { SendQueue } from './send-queue.ts';
import type { H2Stream } from './stream.ts';

/** Bytes that the socket has not taken, above which bodies wait, and below which they go on. */
const HIGH = 262_144;
const LOW = 131_072;
/** What a DATA frame earns the peer in frames that answer it. */
const EARNED = 4;
const MOST_EARNED = 4000;

export class Outgoing {
  readonly writer: FrameWriter;
  readonly queue = new SendQueue();
  readonly #encoder = new HpackEncoder();
  #window = FIRST_WINDOW;
  /** Frames that the peer may send in return for what it got: window updates, pings that measure the path. */
  #earned = 0;
  congested = false;
  /** RST_STREAM frames that were sent. */
  resets = 0;

  constructor(writer: FrameWriter) {
    this.writer = writer;
  }

  /** Whether the peer may send another frame in return for what it got. */
  spendEarned(): boolean {
    if (this.#earned === 0) return false;
    this.#earned--;
    return true;
  }

  resizeTable(bytes: number): void {
    this.#encoder.resize(bytes);
  }

  /** The window of the connection. False: it is too large. */
  widen(bytes: number): boolean {
    this.#window += bytes;
    return this.#window <= 0x7fffffff;
  }

  get hasWindow(): boolean {
    return this.#window > 0;
  }

  /** A HEADERS frame, with CONTINUATIONs where it has to be. */
  fields(id: number, status: number | undefined, headers: RawHeaders, flags: number): void {
    const most = this.#encoder.prepare(headers);
    if (most > MAX_FRAME_BYTES) return this.#largeFields(id, status, flags, most);
    const { writer } = this;
    const buffer = writer.reserve(HEAD_BYTES + most);
    const from = writer.at + HEAD_BYTES;
    const length = this.#encoder.write(buffer, from, status) - from;
    writer.finish(FrameType.headers, flags | Flag.endHeaders, id, length);
  }

  #largeFields(id: number, status: number | undefined, flags: number, most: number): void {
    const { writer } = this;
    const block = Buffer.allocUnsafeSlow(most);
    const end = this.#encoder.write(block, 0, status);
    for (let at = 0; at < end; at += MAX_FRAME_BYTES) {
      const length = Math.min(MAX_FRAME_BYTES, end - at);
      const last = at + length === end ? Flag.endHeaders : 0;
      const buffer = writer.reserve(HEAD_BYTES + length);
      block.copy(buffer, writer.at + HEAD_BYTES, at, at + length);
      if (at === 0) writer.finish(FrameType.headers, flags | last, id, length);
      else writer.finish(FrameType.continuation, last, id, length);
    }
  }

  /** Sends of a body what may be sent now. Returns how many bytes that were. */
  sendNow(stream: H2Stream, chunk: Buffer): number {
    if (this.congested || this.queue.length > 0) return 0;
    let at = 0;
    while (at < chunk.length && !this.congested) {
      const length = Math.min(chunk.length - at, DATA_BYTES, stream.sendWindow, this.#window);
      if (length <= 0) break;
      this.data(stream, chunk, at, at + length);
      at += length;
    }
    return at;
  }

  data(stream: H2Stream, bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    this.#window -= length;
    stream.sendWindow -= length;
    if (this.#earned < MOST_EARNED) this.#earned += EARNED;
    this.writer.data(stream.id, bytes, from, to);
    if (this.writer.unsent >= HIGH) this.congested = true;
  }

  end(id: number): void {
    this.writer.end(id);
  }

  reset(id: number, code: Code): void {
    this.resets++;
    this.writer.number(FrameType.rstStream, id, code);
  }

  openWindow(id: number, bytes: number): void {
    this.writer.number(FrameType.windowUpdate, id, bytes);
  }

  /** The socket has taken some. True: streams that waited for it alone can go on. */
  written(): boolean {
    if (!this.congested || this.writer.unsent > LOW) return false;
    this.congested = false;
    this.pump();
    return !this.congested;
  }

  /** Sends what waits, as far as it can. */
  pump(): void {
    while (!this.congested) {
      const stream = this.queue.next();
      if (stream === undefined) return;
      if (this.#window <= 0) return this.queue.putBack(stream);
      stream.sendSome(this.#window);
    }
  }
}
