// A WebSocket that HTTP/2 asked for (extended CONNECT, RFC 8441) becomes the handshake of HTTP/1.1 (RFC 6455): a GET with
// a key of ours and the version. Whoever carries it checks that the app's answer fits the key.

import type { Exchange } from '../exchange.ts';
import { fieldValue, type RawHeaders } from '../http/fields.ts';
import { createWebSocketKey } from '../http/websocket.ts';

/** RFC 8441 section 5: these two are not used there; a client's own copies mean nothing. */
const KEY = 'sec-websocket-key';
const ACCEPT = 'sec-websocket-accept';

export const webSocket = {
  name: 'webSocket',
  apply(exchange: Exchange): undefined {
    if (exchange.connectProtocol === undefined) return;
    exchange.method = 'GET';
    const headers: RawHeaders = [];
    for (let i = 0; i < exchange.headers.length; i += 2) {
      const name = exchange.headers[i] as string;
      const lower = name.toLowerCase();
      if (lower !== KEY && lower !== ACCEPT) headers.push(name, exchange.headers[i + 1] as string);
    }
    headers.push('Sec-WebSocket-Key', createWebSocketKey());
    if (fieldValue(headers, 'sec-websocket-version') === undefined) headers.push('Sec-WebSocket-Version', '13');
    exchange.headers = headers;
  },
};
