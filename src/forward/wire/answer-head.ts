// The head of the app's answer, found and read, or the rejection for what is wrong with it. Pure.

import { REJECTIONS, type Rejection } from '../../errors.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { readFields, readStatusLine } from '../../http/head.ts';
import { keep, Repeats } from '../../http/repeats.ts';
import { NoHead, type UnreadBytes } from '../../http/unread.ts';

export type RawHead = {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
  /** Bytes that the head takes, with its last empty line. */
  readonly used: number;
};

export type HeadLimits = { readonly maxHeaderBytes: number; readonly maxFields: number };

/** The head at the front of what is unread, which `bytes` is; undefined when more of it is needed. */
export function readHead(
  unread: UnreadBytes,
  bytes: Buffer,
  { maxHeaderBytes, maxFields }: HeadLimits,
): RawHead | Rejection | undefined {
  const end = unread.headEnd(maxHeaderBytes);
  if (end === NoHead.tooLarge) return REJECTIONS.upstream_header_too_large;
  if (end === NoHead.bareLineFeed) return REJECTIONS.upstream_malformed;
  if (end === NoHead.incomplete) return startsLikeHttp(bytes) ? undefined : REJECTIONS.upstream_malformed;
  const text = bytes.toString('latin1', 0, end + 2);
  const known = HEADS.find(text);
  if (known === undefined) return parse(text, maxFields);
  // It may have been read where more are allowed.
  return known.headers.length > maxFields * 2 ? REJECTIONS.upstream_header_too_large : known;
}

/** Heads of answers that repeat. */
const HEADS = new Repeats<RawHead>();

function parse(text: string, maxFields: number): RawHead | Rejection {
  const line = readStatusLine(text);
  if (line === undefined) return REJECTIONS.upstream_malformed;
  const { version, status, reason, end } = line;
  const headers: RawHeaders = [];
  const failure = readFields(text, end, maxFields, headers);
  if (failure === 'syntax') return REJECTIONS.upstream_malformed;
  if (failure !== undefined) return REJECTIONS.upstream_header_too_large;
  const head = { version, status, reason, headers, used: text.length + 2 };
  if (HEADS.saw(text, head)) keep(headers);
  return head;
}

/** Garbage is told from a slow head by its first bytes. */
function startsLikeHttp(bytes: Buffer): boolean {
  const start = 'HTTP/';
  return start.startsWith(bytes.toString('latin1', 0, start.length));
}
