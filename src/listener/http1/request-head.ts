// The head of an HTTP/1.x request, found and read, or the word for what is wrong with it. Pure.

import type { Reason } from '../../errors.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { findHeadEnd, hasBareLineFeed, readFields, readRequestLine } from '../../http/head.ts';

export type RequestHead = {
  readonly protocol: 'http/1.0' | 'http/1.1';
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  /** Why the request must be refused; the rest is then as far as it could be read. */
  readonly fault: Reason | undefined;
  /** Bytes that the head takes, with its last empty line. */
  readonly used: number;
};

export type HeadLimits = { readonly maxHeaderBytes: number; readonly maxFields: number };

/** Undefined when more bytes are needed. */
export function readRequestHead(bytes: Buffer, { maxHeaderBytes, maxFields }: HeadLimits): RequestHead | undefined {
  // RFC 9112 section 2.2: an empty line before the request line is ignored.
  const start = bytes[0] === 13 && bytes[1] === 10 ? 2 : 0;
  const end = findHeadEnd(bytes, start);
  if (end < 0 || end - start > maxHeaderBytes) {
    if (end >= 0 || bytes.length > maxHeaderBytes + 4) return refused('header_too_large', bytes.length);
    return hasBareLineFeed(bytes) ? refused('malformed_request', bytes.length) : undefined;
  }
  const used = end + 4;
  const text = bytes.toString('latin1', start, end + 2);
  const line = readRequestLine(text);
  if (line === undefined) return refused('malformed_request', used);
  const { method, target, version } = line;
  if (version !== '1.1' && version !== '1.0') return { ...refused('bad_version', used), method, target };
  const headers: RawHeaders = [];
  const fault = readFields(text, line.end, maxFields, headers);
  return {
    protocol: version === '1.1' ? 'http/1.1' : 'http/1.0',
    method,
    target,
    headers,
    fault: fault === 'syntax' ? 'malformed_request' : fault,
    used,
  };
}

function refused(fault: Reason, used: number): RequestHead {
  return { protocol: 'http/1.1', method: '', target: '', headers: [], fault, used };
}
