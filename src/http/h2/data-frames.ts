// DATA frames (RFC 9113 section 6.1), piece by piece as they come: counted against both windows with their padding, whatever
// becomes of them, and given to the stream that may still have them.

import type { Account } from '../../net/budget.ts';
import { ConnectionWindow, type WindowOptions } from './connection-window.ts';
import { Code, Flag, FrameType } from './frames.ts';
import type { H2Session } from './session.ts';
import { Cost } from './session-owner.ts';
import type { H2Stream } from './stream.ts';

export class DataFrames {
  /** Of the connection. */
  readonly window: ConnectionWindow;
  readonly #session: H2Session;
  /** Of the frame under way: whose it is, if anybody's, and how much of it is to come. */
  #stream: H2Stream | undefined = undefined;
  #left = 0;
  #ends = false;

  constructor(session: H2Session, options: WindowOptions, account: Account) {
    this.#session = session;
    this.window = new ConnectionWindow(options, account);
    this.#open(this.window.opening);
  }

  /** Bytes are not held any more. */
  taken(bytes: number): void {
    if (bytes > 0) this.#open(this.window.take(bytes));
  }

  #open(bytes: number): void {
    if (bytes > 0 && !this.#session.stopped) this.#session.out.openWindow(0, bytes);
  }

  begin(id: number, flags: number, length: number, padding: number): void {
    const session = this.#session;
    this.#stream = undefined;
    this.#ends = (flags & Flag.endStream) !== 0;
    this.#left = length - padding;
    if (!session.mayCome(FrameType.data, flags, id)) return;
    if (id === 0 || session.isIdle(id)) return session.fail(Code.protocol, 'DATA of a stream that has not begun');
    if (!this.window.receive(length)) return session.fail(Code.flowControl, 'more than the window of the connection');
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
    this.#open(this.window.replace());
    if (this.window.choked && !this.#session.choked()) this.#open(this.window.leaveRoom());
  }
}
