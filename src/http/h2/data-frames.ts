// DATA frames (RFC 9113 section 6.1), piece by piece as they come: counted against both windows with their padding, whatever
// becomes of them, and given to the stream that may still have them.

import { Code, FIRST_WINDOW, Flag, FrameType } from './frames.ts';
import { ReceiveWindow, SpareWindow } from './receive-window.ts';
import type { H2Session } from './session.ts';
import { Cost } from './session-owner.ts';
import type { H2Stream } from './stream.ts';

/**
 * Taken from the window of the connection, and not given back before there are as many. It has them beyond what its streams
 * may have outstanding: else those that wait could leave no room for the one whose bytes would be given back.
 */
const UNRETURNED = 262_144;

export class DataFrames {
  /** What streams that are fast borrow from. */
  readonly spare: SpareWindow;
  readonly #session: H2Session;
  readonly #window: ReceiveWindow;
  /** Of the frame under way: whose it is, if anybody's, and how much of it is to come. */
  #stream: H2Stream | undefined = undefined;
  #left = 0;
  #ends = false;

  /** `window`: what all streams together may have outstanding; `spare` of it is lent. */
  constructor(session: H2Session, window: number, spare: number) {
    this.#session = session;
    this.#window = new ReceiveWindow(window + UNRETURNED, UNRETURNED);
    this.spare = new SpareWindow(spare);
    session.out.openWindow(0, window + UNRETURNED - FIRST_WINDOW);
  }

  /** Bytes are not held any more. */
  taken(bytes: number): void {
    const opened = bytes === 0 ? 0 : this.#window.take(bytes);
    if (opened > 0 && !this.#session.stopped) this.#session.out.openWindow(0, opened);
  }

  begin(id: number, flags: number, length: number, padding: number): void {
    const session = this.#session;
    this.#stream = undefined;
    this.#ends = (flags & Flag.endStream) !== 0;
    this.#left = length - padding;
    if (!session.mayCome(FrameType.data, flags, id)) return;
    if (id === 0 || session.isIdle(id)) return session.fail(Code.protocol, 'DATA of a stream that has not begun');
    if (!this.#window.receive(length)) return session.fail(Code.flowControl, 'more than the window of the connection');
    if (this.#left === 0 && !this.#ends && !session.spend(Cost.idle, 'empty frames')) return;
    this.#find(id, length, padding);
  }

  #find(id: number, length: number, padding: number): void {
    const session = this.#session;
    const stream = session.streams.get(id);
    if (stream === undefined) {
      this.taken(length);
      if (!session.isBehindLast(id)) session.late(id);
    } else if (stream.remoteEnded) {
      this.taken(length);
      session.failStream(stream, Code.streamClosed);
    } else if (!stream.count(length, padding)) {
      this.taken(length - padding);
      session.failStream(stream, Code.flowControl);
    } else {
      this.#stream = stream;
    }
  }

  take(bytes: Buffer): void {
    this.#left -= bytes.length;
    this.#stream?.receive(bytes, this.#left === 0 && this.#ends);
  }

  end(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined && this.#ends && !stream.closed) stream.end();
  }
}
