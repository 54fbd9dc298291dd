// The access line: what the log says about one request. No header value but traceparent, no query, and no text of a client
// beyond a bounded length.

import type { Exchange, TlsFacts } from '../exchange.ts';
import { fieldValue } from '../http/fields.ts';
import { traceparentOf } from '../http/trace-context.ts';
import { bounded, MAX_HOST, MAX_METHOD, MAX_PATH, MAX_TEXT } from './bounded.ts';
import { JsonFields } from './log.ts';
import { THREE_DIGITS } from './log-format.ts';

/**
 * As JSON, made by hand: one is written for each request, and pino takes three times as long. `port`: where it came in, if there
 * is more than one place.
 */
export function accessLine(exchange: Exchange, durationMs: number, port?: number): JsonFields {
  const { connection, rejection, span, status, upstreamMs } = exchange;
  const trace = span?.traceparent ?? traceparentOf(fieldValue(exchange.headers, 'traceparent'));
  let text = `"method":${methodOf(exchange.method)}`;
  text += `,"path":${quoted(bounded(pathOf(exchange.target), MAX_PATH))}`;
  text += `,"status":${status},"protocol":"${exchange.protocol}"`;
  text += `,"host":${hostOf(exchange.host)}`;
  if (port !== undefined) text += `,"port":${port}`;
  text += `,"client":${clientOf(exchange.client)}`;
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

/** Of connections: it is the same for all that is asked on one. */
const tlsTexts = new WeakMap<TlsFacts, string>();

function tlsText(tls: TlsFacts): string {
  let text = tlsTexts.get(tls);
  if (text === undefined) {
    const { version, cipher, sni, resumed, client } = tls;
    const facts = { version, cipher, sni: bounded(sni, MAX_HOST), resumed };
    text = JSON.stringify(client === undefined ? facts : { ...facts, client: bounded(client, MAX_TEXT) });
    tlsTexts.set(tls, text);
  }
  return text;
}

/** For a text that mostly is the one of the line before. */
function repeated(maxLength: number): (text: string) => string {
  let [last, json] = ['', '""'];
  return (text) => {
    if (text !== last) [last, json] = [text, quoted(bounded(text, maxLength))];
    return json;
  };
}

const methodOf = repeated(MAX_METHOD);
const hostOf = repeated(MAX_HOST);
const clientOf = repeated(MAX_TEXT);

/** Where nothing in it has to be escaped, which JSON.stringify finds out more slowly. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** To the microsecond; a number with a fraction is turned into text digit by digit, by a slower way than all the rest here. */
function rounded(ms: number): string {
  const us = Math.round(ms * 1000);
  return `${Math.floor(us / 1000)}.${THREE_DIGITS[us % 1000]}`;
}
