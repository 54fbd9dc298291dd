// The two fields of the WebSocket handshake that HTTP/1.1 has and HTTP/2 has not (RFC 6455 section 4, RFC 8441).

import { createHash, randomBytes } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A new Sec-WebSocket-Key. */
export function createWebSocketKey(): string {
  return randomBytes(16).toString('base64');
}

/** The Sec-WebSocket-Accept that answers a key. */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
}
