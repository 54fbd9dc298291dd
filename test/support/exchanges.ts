// THE table of exchanges that both forwarders must carry alike: what a client sends, how the app acts, and what either
// shall see. Its rows stand in three files by theme; here they are joined, with the differences that hold for all.

import type { ExchangeRow } from './exchange-row.ts';
import { ANSWERS } from './exchanges-answers.ts';
import { FAILURES } from './exchanges-failures.ts';
import { REQUESTS } from './exchanges-requests.ts';

export const EXCHANGES: readonly ExchangeRow[] = [...REQUESTS, ...ANSWERS, ...FAILURES];

/** In every row. */
export const EVERYWHERE = {
  /** http.request says so to every app; the wire forwarder leaves out what HTTP/1.1 means anyway. */
  addedByHttpProxy: 'Connection: keep-alive',
  /** Where one chunk ends is no part of the message (RFC 9112 section 7.1): bodies are compared decoded. */
  chunkBoundaries: 'decoded',
} as const;
