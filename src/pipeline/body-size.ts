// How large a body may be. One that is known to be larger never reaches the app; for one of unknown length the limit goes
// with the exchange, and whoever carries it breaks it off there.

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';

/** In bytes; Infinity for none. Read for each exchange. */
export type BodyLimit = { readonly maxBodySize: number };

export function bodySize(limit: BodyLimit) {
  return {
    name: 'bodySize',
    apply(exchange: Exchange): Rejection | undefined {
      exchange.maxBodyBytes = limit.maxBodySize;
      return exchange.bodyLength > exchange.maxBodyBytes ? REJECTIONS.body_too_large : undefined;
    },
  };
}
