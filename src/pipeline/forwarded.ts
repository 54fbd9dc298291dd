// What the app is told of the client. Hop-by-hop fields and those that Connection names go first, then every copy of
// ours that the client sent (with `_` too), then ours are set: so nothing that the client says can remove or forge them.

import { randomUUID } from 'node:crypto';
import { type Exchange, UNKNOWN_LENGTH } from '../exchange.ts';
import { endToEnd, Kind, kindOf, listMembers, type RawHeaders } from '../headers.ts';
import { portOf } from './authority.ts';

const OURS: readonly Kind[] = [Kind.forwarding, Kind.requestId];
/** What is left out of the app's copy beside the hop-by-hop fields, by [expectation of no use][host is set by us]. */
const LEFT_OUT: readonly (readonly ReadonlySet<Kind>[])[] = [
  [new Set(OURS), new Set([...OURS, Kind.host])],
  [new Set([...OURS, Kind.expect]), new Set([...OURS, Kind.expect, Kind.host])],
];

/** `appAuthority` stands in for the Host that an HTTP/1.0 client may leave out. */
export function forwarded(appAuthority: string) {
  return {
    name: 'forwarded',
    apply(exchange: Exchange): undefined {
      const { connection, bodyLength, protocol } = exchange;
      // Without a body there is nothing to wait for, and HTTP/1.0 knows no interim answers (RFC 9110 section 10.1.1).
      const waits = bodyLength !== 0 && protocol !== 'http/1.0';
      // HTTP/2 names it beside the fields, HTTP/1.0 may leave it out.
      const hostIsOurs = exchange.authority !== undefined || exchange.host === '';
      const leftOut = LEFT_OUT[waits ? 0 : 1]?.[hostIsOurs ? 1 : 0] as ReadonlySet<Kind>;
      const headers = endToEnd(exchange.headers, bodyLength === UNKNOWN_LENGTH, leftOut);
      if (exchange.host === '') exchange.host = appAuthority;
      if (hostIsOurs) headers.unshift('Host', exchange.host);
      if (acceptsTrailers(exchange.headers)) headers.push('TE', 'trailers', 'Connection', 'TE');
      exchange.requestId = randomUUID();
      headers.push(
        'X-Forwarded-For',
        connection.remoteAddress,
        'X-Forwarded-Proto',
        connection.scheme,
        'X-Forwarded-Host',
        exchange.host,
        'X-Forwarded-Port',
        portOf(exchange.host) || (connection.scheme === 'https' ? '443' : '80'),
        'X-Request-Id',
        exchange.requestId,
      );
      exchange.headers = headers;
      return undefined;
    },
  };
}

function acceptsTrailers(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 2 || kindOf(name) !== Kind.te) continue;
    if (listMembers(headers[i + 1] as string).includes('trailers')) return true;
  }
  return false;
}
