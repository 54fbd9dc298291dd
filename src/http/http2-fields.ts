// Raw lists in the shape that node:http2 takes: lower-case names, same-named fields as a list. Node throws for a field
// that belongs to one connection, and for a second value of a field that it takes for single; neither may bring the
// process down, so both are settled here. Pure.

import type { OutgoingHttpHeaders } from 'node:http2';
import type { RawHeaders } from './fields.ts';
import { isFieldValue, isToken } from './head.ts';

/** RFC 9113 section 8.2.2. */
const OF_A_CONNECTION = new Set([
  'connection',
  'upgrade',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
]);

/** Those of which Node (20 to 26) refuses to send two. */
const SINGLE = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization ' +
    'content-encoding content-language content-length content-location content-md5 content-range content-type date ' +
    'dnt etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified ' +
    'location max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent ' +
    'x-content-type-options'
  ).split(' '),
);

/** Names must be tokens. Two equal values of a single field become one, two others are joined as a list would be. */
export function fieldsOf(headers: RawHeaders): OutgoingHttpHeaders {
  const fields = Object.create(null) as OutgoingHttpHeaders;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    if (OF_A_CONNECTION.has(name) || (name === 'te' && value !== 'trailers')) continue;
    const known = fields[name];
    if (known === undefined) fields[name] = value;
    else if (!SINGLE.has(name)) fields[name] = Array.isArray(known) ? [...known, value] : [String(known), value];
    else if (known !== value) fields[name] = `${known}, ${value}`;
  }
  return fields;
}

/** Whether every field of a list may stand in an HTTP/1.1 message, too. */
export function areFields(raw: RawHeaders): boolean {
  for (let i = 0; i < raw.length; i += 2) {
    if (!isToken(raw[i] as string) || !isFieldValue(raw[i + 1] as string)) return false;
  }
  return true;
}
