// What becomes of a request that came without TLS: it is refused, in words that the client can read.

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';

export const plaintext = {
  name: 'plaintext',
  apply(exchange: Exchange): Rejection | undefined {
    return exchange.connection.scheme === 'http' ? REJECTIONS.plaintext : undefined;
  },
};
