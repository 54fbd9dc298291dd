// What a client of HTTP/2 gets of the answer to its WebSocket.

import type { RawHeaders } from '../../http/fields.ts';

/** The app's answer to the handshake of HTTP/1.1, as HTTP/2 has it: the proof of the handshake is left out (RFC 8441 section 5). */
export function withoutProof(headers: RawHeaders): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.toLowerCase() !== 'sec-websocket-accept') kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
