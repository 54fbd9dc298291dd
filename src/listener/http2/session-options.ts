// What a client of HTTP/2 may have: streams, windows, fields. Only how large a head may be is an option.

import { FIRST_WINDOW, Setting } from '../../http/h2/frames.ts';
import type { SessionOptions } from '../../http/h2/session-owner.ts';
import { ENTRY_BYTES } from '../../http/hpack/field.ts';
import type { Account } from '../../net/budget.ts';
import type { Limits } from '../limits.ts';

export const MAX_STREAMS = 128;
/** The connection's, as the RFC has it at first; wider once the app has taken as much. */
const WINDOW = { first: FIRST_WINDOW, most: 4 * FIRST_WINDOW, spare: 2 << 20 };
/** The least that a header block may have before it is decoded: as much as nghttp2 lets one have. */
const BLOCK_BYTES = 65_536;

export function sessionOptions({ maxHeaderBytes, maxFields }: Limits, account: Account): SessionOptions {
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
    account,
    maxListBytes,
    maxBlockBytes: Math.max(BLOCK_BYTES, 4 * maxHeaderBytes),
  };
}

/** How long a client that has connected may wait before it asks for something: not long where it is to go again. */
export function firstRequestMs({ headerTimeoutMs, idleTimeoutMs, lingerMs }: Limits, draining: boolean): number {
  return Math.min(draining ? lingerMs : headerTimeoutMs, idleTimeoutMs);
}
