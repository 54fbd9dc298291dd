// The head of an HTTP/1.x request, found and read, or the word for what is wrong with it.

import type { Reason } from '../../errors.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { type HeadReason, readFields, readRequestLine } from '../../http/head.ts';
import { keep, Repeats } from '../../http/repeats.ts';
import { NoHead, type UnreadBytes } from '../../http/unread.ts';
import type { ReceivedRequest } from '../exchange-state.ts';

export type RequestHead = {
  readonly protocol: 'http/1.0' | 'http/1.1';
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  /** Why the request must be refused; the rest is then as far as it could be read. */
  readonly reason: Reason | undefined;
};

export type HeadLimits = { readonly maxHeaderBytes: number; readonly maxFields: number };

/** In place of a head that did not come. */
export const NO_REQUEST: ReceivedRequest = { protocol: 'http/1.1', method: '', target: '', headers: [] };

/** Takes a head from what is unread; undefined when more bytes are needed. Of one that has no end nothing is kept. */
export function readRequestHead(
  unread: UnreadBytes,
  { maxHeaderBytes, maxFields }: HeadLimits,
): RequestHead | undefined {
  const { bytes } = unread;
  if (bytes === undefined) return undefined;
  // RFC 9112 section 2.2: an empty line before the request line is ignored.
  const start = bytes[0] === 13 && bytes[1] === 10 ? 2 : 0;
  const end = unread.headEnd(maxHeaderBytes, start);
  if (end === NoHead.incomplete) return undefined;
  if (end < 0) {
    unread.clear();
    return refused(end === NoHead.tooLarge ? 'header_too_large' : 'malformed_request');
  }
  const text = bytes.toString('latin1', start, end + 2);
  unread.skip(end + 4);
  return parse(text, maxFields);
}

function parse(text: string, maxFields: number): RequestHead {
  const line = readRequestLine(text);
  if (line === undefined) return refused('malformed_request');
  const { method, target, version } = line;
  if (version !== '1.1' && version !== '1.0') return { ...refused('bad_version'), method, target };
  const block = text.slice(line.end);
  const small = line.end <= MAX_LINE;
  const known = small ? FIELDS.find(block) : undefined;
  const headers: RawHeaders = known ?? [];
  const failure = known === undefined ? readFields(block, 0, maxFields, headers) : tooMany(known, maxFields);
  if (small && known === undefined && failure === undefined && FIELDS.saw(block, headers)) keep(headers);
  return {
    protocol: version === '1.1' ? 'http/1.1' : 'http/1.0',
    method,
    target,
    headers,
    reason: failure === 'syntax' ? 'malformed_request' : failure,
  };
}

/** Field lists of requests that repeat. */
const FIELDS = new Repeats<RawHeaders>();
/** A part of a text holds on to the whole of it: behind longer request lines nothing is kept. */
const MAX_LINE = 2048;

/** It may have been read where more are allowed. */
function tooMany(headers: RawHeaders, maxFields: number): HeadReason | undefined {
  return headers.length > maxFields * 2 ? 'too_many_fields' : undefined;
}

function refused(reason: Reason): RequestHead {
  return { protocol: 'http/1.1', method: '', target: '', headers: [], reason };
}
