// The byte stream of a WebSocket over HTTP/2 (RFC 8441), for both ends: a Duplex over one stream, made when the app has
// agreed, and not for any other exchange. Its windows are given back as it is read.

import { Duplex } from 'node:stream';
import { type Guarded, guarded } from '../../net/guard.ts';
import { ownCopy } from '../../net/own-copy.ts';
import { Code } from './frames.ts';
import type { H2Stream } from './stream.ts';

export class Tunnel extends Duplex {
  readonly #stream: H2Stream;
  #written: (() => void) | undefined = undefined;

  /** `owner`: who ends it when one of its callbacks throws, which whoever reads or writes it would not survive. */
  constructor(stream: H2Stream, owner: Guarded) {
    super({
      allowHalfOpen: true,
      read: guarded(owner, () => {
        if (!stream.closed) stream.resume();
      }),
      write: guarded(owner, (chunk: Buffer, _encoding: BufferEncoding, done: () => void) => {
        stream.write(chunk);
        if (stream.flush()) done();
        else this.#written = done;
      }),
      final: guarded(owner, (done: () => void) => {
        stream.finish(undefined);
        done();
      }),
      destroy: guarded(owner, (error: Error | null, done: (error: Error | null) => void) => {
        stream.reset(error === null ? Code.cancel : Code.internal);
        done(error);
      }),
    });
    this.#stream = stream;
    // A close always follows.
    this.on('error', () => {});
  }

  /** What the peer sent; good during the call only. */
  receive(chunk: Buffer): void {
    if (!this.push(ownCopy(chunk))) this.#stream.pause();
  }

  /** The peer takes bytes again. */
  drained(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }
}
