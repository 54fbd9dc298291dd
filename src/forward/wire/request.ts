// An exchange's request as bytes for the app. The list of fields is complete; what is added is only what this
// connection's framing needs.

import type { Socket } from 'node:net';
import { UNKNOWN_LENGTH } from '../../exchange.ts';
import { chunkHead } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { writeFields } from '../../http/head.ts';

export type RequestHead = {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  readonly bodyLength: number;
  readonly upgrade: string | undefined;
};

/** A body without a known length is chunked, whatever the method: unframed bytes would be read as the next request. */
export function requestText({ method, target, headers, bodyLength, upgrade }: RequestHead): string {
  const framing = bodyLength === UNKNOWN_LENGTH ? 'Transfer-Encoding: chunked\r\n' : '';
  const change = upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  return `${method} ${target} HTTP/1.1\r\n${writeFields(headers)}${framing}${change}\r\n`;
}

/** False: the socket has enough; wait for its drain. */
export function writeChunk(socket: Socket, chunk: Buffer): boolean {
  if (chunk.length === 0) return true;
  socket.cork();
  socket.write(chunkHead(chunk.length), 'latin1');
  socket.write(chunk);
  const more = socket.write('\r\n', 'latin1');
  socket.uncork();
  return more;
}

export function writeLastChunk(socket: Socket, trailers: RawHeaders | undefined): void {
  socket.write(trailers === undefined ? '0\r\n\r\n' : `0\r\n${writeFields(trailers)}\r\n`, 'latin1');
}
