// The access line: what the log says about one request. No header value but traceparent, no query, and no text of a client
// beyond a bounded length.

import type { Exchange, TlsFacts } from '../exchange.ts';
import { fieldValue } from '../http/fields.ts';
import { traceparentOf } from '../http/trace-context.ts';
import { bounded, MAX_HOST, MAX_METHOD, MAX_PATH, MAX_TEXT } from './bounded.ts';
import { JsonFields } from './log.ts';

/**
 * As JSON, made by hand: one is written for each request, and pino takes three times as long. `port`: where it came in, if there
 * is more than one place.
 */
export function accessLine(exchange: Exchange, durationMs: number, port?: number): JsonFields {
  const { connection, rejection, span, status, upstreamMs } = exchange;
  const trace = span?.traceparent ?? traceparentOf(fieldValue(exchange.headers, 'traceparent'));
  let text = `"method":${quoted(bounded(exchange.method, MAX_METHOD))}`;
  text += `,"path":${quoted(bounded(pathOf(exchange.target), MAX_PATH))}`;
  text += `,"status":${status},"protocol":"${exchange.protocol}"`;
  text += `,"host":${quoted(bounded(exchange.host, MAX_HOST))}`;
  if (port !== undefined) text += `,"port":${port}`;
  text += `,"client":${quoted(exchange.client)}`;
  text += `,"bytesIn":${exchange.bytesIn},"bytesOut":${exchange.bytesOut},"durationMs":${rounded(durationMs)}`;
  if (upstreamMs >= 0) text += `,"upstreamMs":${rounded(upstreamMs)}`;
  text += `,"requestId":${quoted(exchange.requestId)}`;
  if (trace !== undefined) text += `,"traceparent":"${trace}"`;
  if (connection.tls !== undefined) text += `,"tls":${tlsText(connection.tls)}`;
  if (rejection !== undefined) text += `,"reason":"${rejection.reason}","side":"${rejection.side}"`;
  return new JsonFields(text);
}

/** Without the query; a rejected target that is no path is not logged, as it may hold credentials. */
export function pathOf(target: string): string {
  if (target !== '*' && !target.startsWith('/')) return '';
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

function tlsText({ version, cipher, sni, resumed, client }: TlsFacts): string {
  const subject = client === undefined ? '' : `,"client":${quoted(bounded(client, MAX_TEXT))}`;
  return `{"version":"${version}","cipher":"${cipher}","sni":${quoted(bounded(sni, MAX_HOST))},"resumed":${resumed}${subject}}`;
}

/** Where nothing in it has to be escaped, which JSON.stringify finds out more slowly. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
