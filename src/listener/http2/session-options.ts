// What a client of HTTP/2 may have: streams, windows, fields. Only how large a head may be is an option.

import { FIRST_WINDOW, Setting } from '../../http/h2/frames.ts';
import type { SessionOptions } from '../../http/h2/session.ts';
import { ENTRY_BYTES } from '../../http/hpack/field.ts';
import type { Limits } from '../limits.ts';

export const MAX_STREAMS = 128;
/** Lent to streams whose bytes are taken as fast as they come. */
const SPARE_WINDOW = 2 << 20;
/** All streams can have their first window full at once, so that those that wait hold up no other. */
const WINDOW = MAX_STREAMS * FIRST_WINDOW + SPARE_WINDOW;
/** The least that a header block may have before it is decoded: as much as nghttp2 lets one have. */
const BLOCK_BYTES = 65_536;

export function sessionOptions({ maxHeaderBytes, maxFields }: Limits): SessionOptions {
  const maxListBytes = maxHeaderBytes + ENTRY_BYTES * maxFields;
  return {
    server: true,
    settings: [
      [Setting.maxConcurrentStreams, MAX_STREAMS],
      [Setting.maxHeaderListSize, maxListBytes],
      // WebSockets (RFC 8441); browsers use a connection of HTTP/1.1 for them otherwise.
      [Setting.enableConnectProtocol, 1],
    ],
    window: WINDOW,
    spareWindow: SPARE_WINDOW,
    maxListBytes,
    maxBlockBytes: Math.max(BLOCK_BYTES, 4 * maxHeaderBytes),
  };
}
