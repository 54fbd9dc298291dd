// What a parser accepts and a proxy must not pass on: every rule is one row of a table, with its source. The rules also
// settle what the rest relies on: host, path, the length of the body, the upgrade, whether the connection persists. They
// change no field.

import { REJECTIONS, type Reason, type Rejection } from '../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../exchange.ts';
import { Kind, kindOf, listMembers } from '../http/fields.ts';
import { readContentLength } from '../http/head.ts';
import { Derived } from '../http/repeats.ts';
import { isAuthority, originForm } from './authority.ts';

/** What one pass over the fields found. */
class Findings {
  hosts = 0;
  host = '';
  lengths = 0;
  length = 0;
  codings = 0;
  coding = '';
  expects = 0;
  expect = '';
  upgrades = 0;
  upgrade = '';
  twins = 0;
  connection: string[] | undefined = undefined;
  /** The request target as a path, or '' when it is neither a path, nor `*` for OPTIONS, nor an absolute form. */
  path = '';
  absoluteAuthority: string | undefined = undefined;
}

type Rule = readonly [broken: (exchange: Exchange, found: Findings) => boolean, reason: Reason, source: string];

/** Fields that the app needs; a client that names one in Connection wants it removed on the way (RFC 9110 section 7.6.1). */
const NEVER_NOMINATED = ['host', 'content-length', 'cookie', 'authorization'];
const FORBIDDEN_METHODS = ['CONNECT', 'TRACE'];
/** The only protocol of an extended CONNECT that is translated. */
const WEBSOCKET = 'websocket';

const RULES: readonly Rule[] = [
  [
    (x, f) => x.protocol === 'h2' && (f.codings > 0 || f.upgrades > 0 || f.connection !== undefined),
    'malformed_request',
    'RFC 9113 section 8.2.2: HTTP/2 has no such fields',
  ],
  [
    (x, f) => x.protocol === 'h2' && x.bodyLength === 0 && f.length > 0,
    'bad_framing',
    'RFC 9113 section 8.1.1: a length, and no body',
  ],
  [(x) => /[a-z]/.test(x.method), 'bad_method', 'RFC 9110 section 9.1: methods are case-sensitive; apps fold them'],
  [
    (_, f) => f.twins > 0,
    'bad_framing',
    'an app that maps - and _ to one name would frame it otherwise (CGI, RFC 3875 section 4.1.18)',
  ],
  [
    (_, f) => f.codings > 0 && f.lengths > 0,
    'bad_framing',
    'RFC 9112 section 6.3: both lengths is an attempt to smuggle',
  ],
  [
    (_, f) => f.codings > 1 || (f.codings === 1 && f.coding.toLowerCase() !== 'chunked'),
    'bad_framing',
    'RFC 9112 section 6.1; CVE-2022-32215',
  ],
  [(x, f) => f.codings > 0 && x.protocol === 'http/1.0', 'bad_framing', 'RFC 9112 section 6.1: faulty in HTTP/1.0'],
  [(_, f) => f.lengths > 1 || f.length < 0, 'bad_framing', 'RFC 9110 section 8.6; CVE-2018-7159, CVE-2023-40225'],
  [
    (x) => FORBIDDEN_METHODS.includes(x.method) && x.connectProtocol !== WEBSOCKET,
    'bad_method',
    'RFC 9110 sections 9.3.6 and 9.3.8: no tunnel, no echo of credentials',
  ],
  [(_, f) => f.path === '', 'bad_target', 'RFC 9112 section 3.2; CVE-2023-45539 for #'],
  [(x, f) => f.hosts !== 1 && !(f.hosts === 0 && x.protocol === 'http/1.0'), 'bad_host', 'RFC 9112 section 3.2'],
  [(_, f) => f.hosts === 1 && !isAuthority(f.host), 'bad_host', 'RFC 9110 section 7.2, RFC 3986 section 3.2'],
  [
    (_, f) => f.absoluteAuthority !== undefined && f.absoluteAuthority !== f.host.toLowerCase(),
    'bad_host',
    'RFC 9112 section 3.2.2: two authorities, two readers',
  ],
  [
    (_, f) => f.connection?.some((name) => NEVER_NOMINATED.includes(name)) ?? false,
    'bad_connection',
    'RFC 9110 section 7.6.1; CVE-2021-33197, CVE-2024-45410',
  ],
  [
    (x, f) =>
      f.expects > 1 || (f.expects === 1 && x.protocol !== 'http/1.0' && f.expect.toLowerCase() !== '100-continue'),
    'bad_expect',
    'RFC 9110 section 10.1.1',
  ],
  [
    (x, f) => asksUpgrade(x, f) && (f.codings > 0 || f.length > 0),
    'bad_upgrade',
    'CVE-2026-58055: a body before the 101 desynchronises',
  ],
  [
    (x) => x.connectProtocol !== undefined && (x.method !== 'CONNECT' || x.bodyLength === 0),
    'bad_upgrade',
    'RFC 8441 section 4: the stream stays open, it carries the other protocol',
  ],
  [(x, f) => isWebSocket(x, f) && !isHandshake(x), 'bad_upgrade', 'RFC 6455 section 4.2.1'],
];

export const requestRules = {
  name: 'requestRules',
  apply(exchange: Exchange): Rejection | undefined {
    if (repeats(exchange)) return undefined;
    const given = exchange.bodyLength;
    const found = inspect(exchange);
    for (const [broken, reason] of RULES) if (broken(exchange, found)) return REJECTIONS[reason];
    exchange.target = found.path;
    exchange.host = found.host;
    exchange.bodyLength = bodyLength(exchange, found);
    exchange.awaitsContinue = found.expects === 1 && exchange.bodyLength !== 0 && exchange.protocol !== 'http/1.0';
    exchange.upgrade = exchange.connectProtocol ?? (asksUpgrade(exchange, found) ? found.upgrade : undefined);
    exchange.persistent = persists(exchange, found.connection);
    if (exchange.upgrade === undefined) remember(exchange, given);
    return undefined;
  },
};

/** A request that was accepted: what the rules looked at beside its fields and its path, and what they settled. */
type Accepted = Pick<
  Exchange,
  'protocol' | 'method' | 'authority' | 'host' | 'bodyLength' | 'awaitsContinue' | 'persistent'
> & {
  /** What was known of the body before. */
  readonly given: number;
};

const ACCEPTED = new Derived<Accepted>();

/** Nothing that the rules look at has changed but the path, and a path alone breaks no rule unless it has a fragment. */
function repeats(exchange: Exchange): boolean {
  const known = ACCEPTED.of(exchange.headers);
  const { target, connectProtocol, protocol, authority, bodyLength } = exchange;
  if (known === undefined || known.method !== exchange.method || known.protocol !== protocol) return false;
  if (known.authority !== authority || known.given !== bodyLength || connectProtocol !== undefined) return false;
  if (target.charCodeAt(0) !== 0x2f || target.includes('#')) return false;
  exchange.host = known.host;
  exchange.bodyLength = known.bodyLength;
  exchange.awaitsContinue = known.awaitsContinue;
  exchange.persistent = known.persistent;
  return true;
}

function remember(exchange: Exchange, given: number): void {
  const { protocol, method, authority, headers, host, bodyLength, awaitsContinue, persistent } = exchange;
  ACCEPTED.set(headers, { protocol, method, authority, given, host, bodyLength, awaitsContinue, persistent });
}

function inspect(exchange: Exchange): Findings {
  const found = new Findings();
  const { headers, target } = exchange;
  for (let i = 0; i < headers.length; i += 2) {
    const kind = kindOf(headers[i] as string);
    if (kind !== Kind.plain) note(found, kind, headers[i + 1] as string);
  }
  if (exchange.authority !== undefined) settleAuthority(found, exchange.authority);
  if (target.charCodeAt(0) === 0x2f) found.path = target.includes('#') ? '' : target;
  else if (target === '*') found.path = exchange.method === 'OPTIONS' ? target : '';
  else [found.absoluteAuthority, found.path] = originForm(target, exchange.method);
  return found;
}

/** RFC 9113 section 8.3.1: a Host beside `:authority` must say the same; two readers would follow two of them. */
function settleAuthority(found: Findings, authority: string): void {
  if (found.hosts > 0 && found.host !== authority) found.hosts++;
  else found.hosts = 1;
  found.host = authority;
}

/** HTTP/1 has no body unless it says so; HTTP/2 has said it with the flag that ends a stream. */
function bodyLength(
  { protocol, connectProtocol, bodyLength: before }: Exchange,
  { codings, lengths, length }: Findings,
): number {
  if (connectProtocol !== undefined) return 0;
  if (protocol !== 'h2') return codings > 0 ? UNKNOWN_LENGTH : length;
  return before !== 0 && lengths > 0 ? length : before;
}

function note(found: Findings, kind: Kind, value: string): void {
  switch (kind) {
    case Kind.host:
      found.hosts++;
      found.host = value;
      return;
    case Kind.contentLength:
      found.lengths++;
      found.length = readContentLength(value);
      return;
    case Kind.transferEncoding:
      found.codings++;
      found.coding = value;
      return;
    case Kind.connection:
      found.connection ??= [];
      found.connection.push(...listMembers(value));
      return;
    case Kind.upgrade:
      found.upgrades++;
      found.upgrade = value;
      return;
    case Kind.expect:
      found.expects++;
      found.expect = value;
      return;
    case Kind.framingTwin:
      found.twins++;
      return;
    default:
  }
}

/**
 * Whether the request is one to change the protocol. HTTP/1.0 cannot (RFC 9110 section 7.8), a list of protocols is
 * an offer that may be ignored, and h2c, TLS or another HTTP would carry requests past every policy.
 */
function asksUpgrade(exchange: Exchange, found: Findings): boolean {
  if (exchange.connectProtocol !== undefined) return true;
  if (found.upgrades !== 1 || exchange.protocol !== 'http/1.1') return false;
  if (found.connection?.includes('upgrade') !== true) return false;
  const wanted = found.upgrade.toLowerCase();
  return /^[a-z0-9!#$%&'*+.^_`|~-]+(?:\/[a-z0-9.]+)?$/.test(wanted) && !/^(?:h2c?|http|tls)(?:\/|$)/.test(wanted);
}

function isWebSocket(exchange: Exchange, found: Findings): boolean {
  return exchange.protocol !== 'h2' && asksUpgrade(exchange, found) && found.upgrade.toLowerCase() === WEBSOCKET;
}

function isHandshake(exchange: Exchange): boolean {
  if (exchange.method !== 'GET') return false;
  let keys = 0;
  for (let i = 0; i < exchange.headers.length; i += 2) {
    if ((exchange.headers[i] as string).toLowerCase() === 'sec-websocket-key') keys++;
  }
  return keys === 1;
}

function persists(exchange: Exchange, connection: string[] | undefined): boolean {
  // RFC 9112 section 9.3: close comes first, in every version.
  if (connection?.includes('close') === true) return false;
  return exchange.protocol !== 'http/1.0' || connection?.includes('keep-alive') === true;
}
