// The access line: what the log says about one request. No header value but traceparent, no query, and no text of a client
// beyond a bounded length.

import type { Exchange, TlsFacts } from '../exchange.ts';
import { fieldValue } from '../http/fields.ts';
import { traceparentOf } from '../http/trace-context.ts';
import { bounded, MAX_HOST, MAX_METHOD, MAX_PATH, MAX_TEXT } from './bounded.ts';

/** `port`: where it came in, if there is more than one place. */
export function accessLine(exchange: Exchange, durationMs: number, port?: number) {
  const {
    method,
    target,
    status,
    protocol,
    host,
    connection,
    bytesIn,
    bytesOut,
    upstreamMs,
    requestId,
    rejection,
    span,
  } = exchange;
  return {
    method: bounded(method, MAX_METHOD),
    path: bounded(pathOf(target), MAX_PATH),
    status,
    protocol,
    host: bounded(host, MAX_HOST),
    port,
    client: exchange.client,
    bytesIn,
    bytesOut,
    durationMs: rounded(durationMs),
    upstreamMs: upstreamMs < 0 ? undefined : rounded(upstreamMs),
    requestId,
    traceparent: span?.traceparent ?? traceparentOf(fieldValue(exchange.headers, 'traceparent')),
    tls: boundedTls(connection.tls),
    reason: rejection?.reason,
    side: rejection?.side,
  };
}

/** Without the query; a rejected target that is no path is not logged, as it may hold credentials. */
export function pathOf(target: string): string {
  if (target !== '*' && !target.startsWith('/')) return '';
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** The connection's own object if possible, which is the same for all of its requests. */
function boundedTls(tls: TlsFacts | undefined): TlsFacts | undefined {
  if (tls === undefined) return undefined;
  const { sni, client = '' } = tls;
  if (sni.length <= MAX_HOST && client.length <= MAX_TEXT) return tls;
  return { ...tls, sni: bounded(sni, MAX_HOST), client: client === '' ? undefined : bounded(client, MAX_TEXT) };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
