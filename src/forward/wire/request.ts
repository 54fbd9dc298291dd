// An exchange's request as bytes for the app. The list of fields is complete; what is added is only what this
// connection's framing needs.

import type { Socket } from 'node:net';
import { UNKNOWN_LENGTH } from '../../exchange.ts';
import { chunkHead } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { writeFields } from '../../http/head.ts';
import { ownCopy } from '../../net/own-copy.ts';
import { Slabs } from '../../net/slabs.ts';

/** Of a piece of a body that is worth a slab. */
const LEAST_BYTES = 8192;
/** A client's record each; as many wait for their next use as there are connections to the app by default, 4 MiB. */
const slabs = new Slabs(16_384, 256);

export type RequestHead = {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  readonly added: RawHeaders;
  readonly bodyLength: number;
  readonly upgrade: string | undefined;
};

/** A body without a known length is chunked, whatever the method: unframed bytes would be read as the next request. */
export function requestText({ method, target, headers, added, bodyLength, upgrade }: RequestHead): string {
  const framing = bodyLength === UNKNOWN_LENGTH ? 'Transfer-Encoding: chunked\r\n' : '';
  const change = upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  return `${method} ${target} HTTP/1.1\r\n${writeFields(headers)}${writeFields(added)}${framing}${change}\r\n`;
}

/** Writes one request after the other to a connection, and knows whether the present one is complete. */
export class RequestWriter {
  readonly #socket: Socket;
  #chunked = false;
  done = true;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** With a body, the head waits for the body's first bytes of the same turn. */
  head(request: RequestHead): void {
    this.done = request.bodyLength === 0;
    this.#chunked = request.bodyLength === UNKNOWN_LENGTH;
    if (!this.done) gather(this.#socket);
    this.#socket.write(requestText(request), 'latin1');
  }

  /** `chunk` is good during the call only. False: the socket has enough; wait for its drain. */
  body(chunk: Buffer): boolean {
    const socket = this.#socket;
    if (chunk.length === 0) return true;
    gather(socket);
    if (this.#chunked) socket.write(chunkHead(chunk.length), 'latin1');
    let more = this.#copy(chunk);
    if (this.#chunked) more = socket.write('\r\n', 'latin1');
    if (more) return true;
    // Enough for one write, which is mostly done when this returns.
    socket.uncork();
    return socket.writableLength < socket.writableHighWaterMark;
  }

  /** Nobody but us has the bytes when the call is over. */
  #copy(chunk: Buffer): boolean {
    const { length } = chunk;
    // As text, which is no buffer to make; and a slab would be held for a few bytes.
    if (length < LEAST_BYTES) return this.#socket.write(chunk.toString('latin1'), 'latin1');
    if (length > slabs.bytes) return this.#socket.write(ownCopy(chunk));
    const slab = slabs.take();
    slab.hold();
    chunk.copy(slab.buffer);
    return this.#socket.write(slab.buffer.subarray(0, length), slab.release);
  }

  end(trailers: RawHeaders | undefined): void {
    this.done = true;
    if (!this.#chunked) return;
    this.#socket.write(trailers === undefined ? '0\r\n\r\n' : `0\r\n${writeFields(trailers)}\r\n`, 'latin1');
  }
}

/** Sockets whose writes wait for the end of the turn: a client's records, read one by one, leave together. */
const gathered: Socket[] = [];

function gather(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  if (gathered.push(socket) === 1) setImmediate(writeGathered);
}

function writeGathered(): void {
  for (const socket of gathered) socket.uncork();
  gathered.length = 0;
}
