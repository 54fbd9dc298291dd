// What the app is told about the client. First hop-by-hop fields and those that Connection names are removed, then the
// client's own copies of our fields (spelled with `_`, too), then ours are set: so a client can neither remove nor forge
// them. What a trusted proxy sent is kept where it is well-formed, and appended to.

import { randomUUID } from 'node:crypto';
import { type Exchange, UNKNOWN_LENGTH } from '../exchange.ts';
import { endToEnd, Kind, kindOf, listMembers, type RawHeaders } from '../http/fields.ts';
import { Derived, keep } from '../http/repeats.ts';
import { AddressList } from '../net/addresses.ts';
import { portOf } from './authority.ts';
import { forwardedElement, type TrustedFields, takeTrustedFields } from './trusted-fields.ts';

const OURS: readonly Kind[] = [Kind.forwarding, Kind.requestId];
/** What is left out of the app's copy beside the hop-by-hop fields, by [expectation of no use][host is set by us]. */
const LEFT_OUT: readonly (readonly ReadonlySet<Kind>[])[] = [
  [new Set(OURS), new Set([...OURS, Kind.host])],
  [new Set([...OURS, Kind.expect]), new Set([...OURS, Kind.expect, Kind.host])],
];
const LEFT_OUT_OF_TRUSTED: typeof LEFT_OUT = [
  [new Set(), new Set([Kind.host])],
  [new Set([Kind.expect]), new Set([Kind.expect, Kind.host])],
];
type Said = Omit<TrustedFields, 'headers'>;
const NOTHING: Said = {
  hops: '',
  proto: undefined,
  host: undefined,
  port: undefined,
  forwarded: '',
  requestId: undefined,
};
const TLS_PORT = '443';
const PLAIN_PORT = '80';
const NOBODY = new AddressList([]);

/** `appAuthority` stands in for the Host that an HTTP/1.0 client may leave out. */
export function forwarded(appAuthority: string, trusted: AddressList = NOBODY) {
  return {
    name: 'forwarded',
    apply(exchange: Exchange): undefined {
      const { connection, bodyLength, protocol } = exchange;
      // Without a body there is nothing to wait for, and HTTP/1.0 knows no interim answers (RFC 9110 section 10.1.1).
      const waits = bodyLength !== 0 && protocol !== 'http/1.0';
      // HTTP/2 names it beside the fields, HTTP/1.0 may leave it out.
      const hostIsOurs = exchange.authority !== undefined || exchange.host === '';
      const trusts = trusted.has(connection.peerAddress);
      const table = trusts ? LEFT_OUT_OF_TRUSTED : LEFT_OUT;
      const leftOut = table[waits ? 0 : 1]?.[hostIsOurs ? 1 : 0] as ReadonlySet<Kind>;
      if (exchange.host === '') exchange.host = appAuthority;
      const passed = passedOf(exchange, leftOut, hostIsOurs ? exchange.host : undefined);
      const said = trusts ? takeTrustedFields(passed.headers) : undefined;
      const headers = said?.headers ?? passed.headers;
      if (passed.acceptsTrailers) exchange.added.push('TE', 'trailers', 'Connection', 'TE');
      exchange.requestId = said?.requestId ?? randomUUID();
      tell(exchange, said ?? NOTHING);
      exchange.headers = headers;
      return undefined;
    },
  };
}

/** What is passed on of a client's fields. */
type Passed = {
  readonly leftOut: ReadonlySet<Kind>;
  readonly chunked: boolean;
  /** The Host in front of them, where it is ours to set. */
  readonly host: string | undefined;
  readonly headers: RawHeaders;
  readonly acceptsTrailers: boolean;
};

const PASSED = new Derived<Passed>();

function passedOf({ headers, bodyLength }: Exchange, leftOut: ReadonlySet<Kind>, host: string | undefined): Passed {
  const chunked = bodyLength === UNKNOWN_LENGTH;
  const known = PASSED.of(headers);
  if (known?.leftOut === leftOut && known.chunked === chunked && known.host === host) return known;
  const kept = endToEnd(headers, chunked, leftOut);
  if (host !== undefined) kept.unshift('Host', host);
  const passed = { leftOut, chunked, host, headers: kept, acceptsTrailers: acceptsTrailers(headers) };
  if (PASSED.set(headers, passed)) keep(kept);
  return passed;
}

function tell(exchange: Exchange, said: Said): void {
  const { remoteAddress, scheme } = exchange.connection;
  const host = said.host ?? exchange.host;
  const proto = said.proto ?? scheme;
  exchange.added.push(
    'X-Forwarded-For',
    said.hops === '' ? remoteAddress : `${said.hops}, ${remoteAddress}`,
    'X-Forwarded-Proto',
    proto,
    'X-Forwarded-Host',
    host,
    'X-Forwarded-Port',
    said.port ?? (portOf(host) || (proto.endsWith('s') ? TLS_PORT : PLAIN_PORT)),
    'X-Request-Id',
    exchange.requestId,
  );
  // Never invented: an app that reads it would no longer read X-Forwarded-For.
  if (said.forwarded !== '')
    exchange.added.push('Forwarded', `${said.forwarded}, ${forwardedElement(remoteAddress, exchange.host, scheme)}`);
}

function acceptsTrailers(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 2 || kindOf(name) !== Kind.te) continue;
    if (listMembers(headers[i + 1] as string).includes('trailers')) return true;
  }
  return false;
}
