// How often a client may ask, and what it is told of that: Retry-After when it is refused, and then, or when it has used up
// half of what it may do at once, the RateLimit fields. Whoever keeps below that gets the app's answers as they are.

import { clientKey } from '../clients/client-key.ts';
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import type { ClientRates, Rate } from '../net/client-rates.ts';

/** Read for each exchange. */
export type RateLimit = { readonly rateLimit: Rate | undefined };

export function rateLimit(limit: RateLimit, rates: ClientRates) {
  return {
    name: 'rateLimit',
    apply(exchange: Exchange): Rejection | undefined {
      const rate = limit.rateLimit;
      if (rate !== rates.rate) rates.use(rate);
      if (rate === undefined) return undefined;
      const waitMs = rates.take(clientKey(exchange.connection.client, exchange.client), exchange.startedMs);
      if (waitMs > 0) {
        exchange.addedToAnswer = [...refusalFields(exchange, waitMs), ...rateLimitFields(rate, rates)];
        return REJECTIONS.rate_limited;
      }
      if (rates.left * 2 < rate.burst) exchange.addedToAnswer = rateLimitFields(rate, rates);
      return undefined;
    },
  };
}

/** gRPC's clients read when to try again in a field of their own (gRFC A6, "Pushback"). */
function refusalFields({ grpc }: Exchange, waitMs: number): RawHeaders {
  const fields = ['Retry-After', String(wholeSeconds(waitMs))];
  if (grpc) fields.push('Grpc-Retry-Pushback-Ms', String(Math.ceil(waitMs)));
  return fields;
}

/** draft-ietf-httpapi-ratelimit-headers-11: what is left, and for how many seconds it is no more than that. */
function rateLimitFields({ requests, periodMs, burst }: Rate, { left, nextMs }: ClientRates): RawHeaders {
  const window = wholeSeconds((periodMs * burst) / requests);
  return [
    'RateLimit-Policy',
    `"tls-sidecar";q=${burst};w=${window}`,
    'RateLimit',
    `"tls-sidecar";r=${left};t=${wholeSeconds(nextMs)}`,
  ];
}

/** At least one; a sum of times that is a little above a second is one. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000 - 1e-6));
}
