// gRPC calls: which requests are gRPC, and how a rejection is told to them. A gRPC client reads grpc-status, so
// our own answer to a call is HTTP 200 without a body (gRPC over HTTP/2, "Trailers-Only"). Pure.

import type { Reason, Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { fieldValue, type RawHeaders } from '../http/fields.ts';

/** grpc-web and its like are other protocols, which HTTP/1.1 carries. */
const GRPC_TYPE = /^application\/grpc(?:[+;]|\s*$)/i;

export const grpc = {
  name: 'grpc',
  apply(exchange: Exchange): undefined {
    if (exchange.protocol !== 'h2') return;
    exchange.grpc = GRPC_TYPE.test(fieldValue(exchange.headers, 'content-type') ?? '');
  },
};

const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNKNOWN = 2;
/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const CODES: Readonly<Record<number, number>> = {
  400: INTERNAL,
  401: 16,
  403: 7,
  404: 12,
  429: UNAVAILABLE,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: UNAVAILABLE,
};

const RESOURCE_EXHAUSTED = 8;
/** The mapping is for proxies that know no better; that a quota or a size is used up has a code of its own. */
const EXHAUSTED: readonly Reason[] = ['rate_limited', 'body_too_large'];

export function grpcCode(status: number): number {
  return CODES[status] ?? UNKNOWN;
}

/** The fields that tell a gRPC client of a rejection. */
export function grpcFailure({ status, reason, text }: Rejection): RawHeaders {
  return [
    'Content-Type',
    'application/grpc',
    'Grpc-Status',
    String(EXHAUSTED.includes(reason) ? RESOURCE_EXHAUSTED : grpcCode(status)),
    'Grpc-Message',
    percentEncoded(`${reason}: ${text}`),
  ];
}

/** gRPC's own encoding: everything but visible ASCII and space, and the percent sign, as %XX of its UTF-8. */
export function percentEncoded(text: string): string {
  return text.replaceAll(/[^ -$&-~]+/gu, (run) =>
    Buffer.from(run)
      .toString('hex')
      .toUpperCase()
      .replaceAll(/../g, (byte) => `%${byte}`),
  );
}
