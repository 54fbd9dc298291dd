// What a span says of an exchange, by the conventions for HTTP servers
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/): what the log says, too, and no more. No query, no value of a
// header, and no text of a client beyond a bounded length. Pure.

import type { Exchange, Protocol } from '../../exchange.ts';
import { pathOf } from '../access-line.ts';
import { bounded, MAX_HOST, MAX_METHOD, MAX_PATH } from '../bounded.ts';

type Attributes = Record<string, string | number | undefined>;

/** Those of RFC 9110, and PATCH (RFC 5789). */
const METHODS: readonly string[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
];
const OTHER = '_OTHER';
const VERSIONS: Readonly<Record<Protocol, string>> = { 'http/1.0': '1.0', 'http/1.1': '1.1', h2: '2' };
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:@/?#\s]+))(?::([0-9]{1,5}))?$/;

/** Without a route, which only the app knows, a span has the name of its method. */
export function spanName({ method, connectProtocol }: Exchange): string {
  // A WebSocket of HTTP/2 is a GET to log, metrics and app.
  const name = connectProtocol === undefined ? method : 'GET';
  return METHODS.includes(name) ? name : 'HTTP';
}

/** Those of an exchange that is over. */
export function spanAttributes(exchange: Exchange): Attributes {
  const { method, target, connection, protocol, client, status, answered, upstreamMs } = exchange;
  const known = METHODS.includes(method);
  const path = pathOf(target);
  const attributes: Attributes = {
    'http.request.method': known ? method : OTHER,
    'url.scheme': connection.scheme,
    'client.address': client,
    'network.protocol.version': VERSIONS[protocol],
  };
  // Each attribute costs a request half a microsecond.
  if (connection.peerAddress !== client) attributes['network.peer.address'] = connection.peerAddress;
  if (!known) attributes['http.request.method_original'] = bounded(method, MAX_METHOD);
  if (path !== '') attributes['url.path'] = bounded(path, MAX_PATH);
  setServer(attributes, exchange.host);
  if (answered) attributes['http.response.status_code'] = status;
  if (upstreamMs >= 0) attributes['tls_sidecar.upstream_ms'] = upstreamMs;
  const error = errorOf(exchange);
  if (error !== undefined) attributes['error.type'] = error;
  return attributes;
}

/** What is to blame on the client is no error of a server. */
export function isError({ status, rejection }: Exchange): boolean {
  return status >= 500 || (rejection !== undefined && rejection.side !== 'client');
}

/** Our word for what failed, else the app's status; a redirect is no failure. */
function errorOf({ status, rejection }: Exchange): string | undefined {
  if (rejection !== undefined && rejection.status >= 400) return rejection.reason;
  return status >= 500 ? String(status) : undefined;
}

function setServer(attributes: Attributes, host: string): void {
  const [, literal, name, port] = AUTHORITY.exec(bounded(host, MAX_HOST)) ?? [];
  const address = literal ?? name;
  if (address === undefined) return;
  attributes['server.address'] = address;
  if (port !== undefined) attributes['server.port'] = Number(port);
}
