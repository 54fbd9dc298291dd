// What clients send over TLS is read into one buffer, the same for all of them: Node's streams make a buffer for every record,
// which V8 has to count and to collect. So the bytes are good during the call only, and whoever needs them longer copies them.
// With a buffer each, an upload over HTTP/2 took 1.6 times, one over HTTP/1.1 1.2 times the CPU time. No read may begin before
// the one before it has returned: Node begins none by itself, but for an empty write, which nobody makes.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { ownCopy } from '../net/own-copy.ts';

/** The largest record (RFC 8446 section 5.1). */
const SHARED = Buffer.allocUnsafeSlow(16_384);

/**
 * Node takes a buffer for a socket's reads (`onread`) where it connects, and has no public name for the same on a socket that
 * a TLS server made. The three fields and the handle's call were looked at in Node 20.20, 24.21 and 26.10; where one is missing,
 * the socket is read as a stream.
 */
type Readable = Duplex & {
  _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null;
  [field: symbol]: unknown;
};
const fields = Object.getOwnPropertySymbols(new Socket());
const [BUFFER, CALLBACK, NEXT] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
  fields.find(({ description }) => description === name),
);

export class ClientReads {
  readonly #socket: Readable;
  readonly #read: (bytes: Buffer) => void;
  /** What came while it was paused: TLS gives all that it has deciphered, at most 64 KiB. */
  readonly #held: Buffer[] = [];
  readonly #onResume = (): void => this.#giveHeld();
  #left = false;

  /**
   * `read`: must not throw. Only where nothing else reads the socket; until leave() nothing else may. While the socket is paused
   * nothing is read of it, so that a client that goes is not noticed before it goes on.
   */
  constructor(socket: Duplex, read: (bytes: Buffer) => void) {
    this.#socket = socket as Readable;
    this.#read = read;
    if (this.#share()) socket.on('resume', this.#onResume);
    else socket.on('data', read);
  }

  /** What comes from now on is the stream's, and what was not given. */
  leave(): void {
    this.#left = true;
    this.#socket.off('data', this.#read).off('resume', this.#onResume);
    for (const bytes of this.#held) this.#socket.push(bytes);
    this.#held.length = 0;
  }

  /** False: there is no such thing, or some of it is in the stream already. */
  #share(): boolean {
    const socket = this.#socket;
    if (BUFFER === undefined || CALLBACK === undefined || NEXT === undefined) return false;
    if (!(socket instanceof TLSSocket) || socket.readableLength > 0) return false;
    const handle = socket._handle;
    if (typeof handle?.useUserBuffer !== 'function') return false;
    socket[BUFFER] = SHARED;
    socket[NEXT] = null;
    socket[CALLBACK] = (length: number): boolean => this.#take(SHARED.subarray(0, length));
    handle.useUserBuffer(SHARED);
    return true;
  }

  /** False: the stream has enough for now. */
  #take(bytes: Buffer): boolean {
    if (this.#left) return this.#socket.push(ownCopy(bytes));
    if (this.#held.length > 0 || this.#socket.isPaused()) this.#held.push(ownCopy(bytes));
    else this.#read(bytes);
    return true;
  }

  #giveHeld(): void {
    while (this.#held.length > 0 && !this.#socket.isPaused()) this.#read(this.#held.shift() as Buffer);
  }
}
