// The rules on the app's answer, whichever forwarder read it: where its body ends, what of its head is passed on, and
// whether the connection to the app may be used again. Ambiguity is an error, never a guess: two readers of one answer
// must not see two bodies. Pure.

import { errorCode, REJECTIONS, type Reason, type Rejection } from '../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../exchange.ts';
import { endToEnd, fieldValue, Kind, kindOf, listMembers, type RawHeaders } from '../http/fields.ts';
import { readContentLength } from '../http/head.ts';
import { Derived, keep } from '../http/repeats.ts';

export type AnswerHead = {
  readonly status: number;
  readonly reason: string;
  /** The end-to-end fields, as the client gets them. */
  readonly headers: RawHeaders;
  /** Bytes of the body that follows: 0 for none, UNKNOWN_LENGTH for chunked or until the connection closes. */
  readonly bodyLength: number;
  /** Of unknown length, and its end is marked. */
  readonly chunked: boolean;
  /** Whether the app keeps the connection open after this answer. */
  readonly persistent: boolean;
  /** How long the app says that it keeps an idle connection, in milliseconds; undefined when it does not say. */
  readonly keepAliveMs: number | undefined;
  /** Server-sent events: silence is normal once the head is there. */
  readonly stream: boolean;
};

const CONTENT_TYPE_LENGTH = 'content-type'.length;
const EVENT_STREAM = /^text\/event-stream\s*(?:;|$)/i;
const VERSIONS = ['1.1', '1.0', '2'];
const RESET_CONTENT = 205;
const NOTHING: ReadonlySet<Kind> = new Set();
const LENGTH: ReadonlySet<Kind> = new Set([Kind.contentLength]);

/** What one pass over the fields found. */
type Findings = {
  lengths: number;
  length: number;
  codings: number;
  coding: string;
  connection: string;
  keepAliveMs: number | undefined;
  stream: boolean;
};

/**
 * `method` is that of the request, `version` the digits of the status line, '2' for HTTP/2. Not for 1xx answers.
 * RFC 9112 section 6.3 gives the order of the rules; where it lets a proxy repair, this refuses.
 */
export function readAnswer(
  method: string,
  version: string,
  status: number,
  reason: string,
  raw: RawHeaders,
): AnswerHead | Rejection {
  const known = READ.of(raw);
  if (known?.method === method && known.version === version && known.head.status === status) return known.head;
  const head = judgeAnswer(method, version, status, reason, raw);
  if (!isRejection(head) && READ.set(raw, { method, version, head })) keep(head.headers);
  return head;
}

/** By the fields, and by what else it follows from; the reason says nothing. */
const READ = new Derived<{ readonly method: string; readonly version: string; readonly head: AnswerHead }>();

function judgeAnswer(
  method: string,
  version: string,
  status: number,
  reason: string,
  raw: RawHeaders,
): AnswerHead | Rejection {
  if (status < 200 || status > 599 || !VERSIONS.includes(version)) return REJECTIONS.upstream_malformed;
  const found = inspect(raw);
  if (isAmbiguous(version, found)) return REJECTIONS.upstream_ambiguous;
  const { lengths, length, codings } = found;
  const empty = status === RESET_CONTENT && lengths === 0 && codings === 0 && version !== '2';
  // RFC 9110 section 15.3.6: a 205 has no content. Whoever knows that takes what follows for the next answer.
  if (status === RESET_CONTENT && length > 0 && method !== 'HEAD') return REJECTIONS.upstream_ambiguous;
  const bodiless = method === 'HEAD' || status === 204 || status === 304 || empty;
  // HTTP/2 frames every body, whatever its length, so that trailers may follow.
  const chunked = !bodiless && (version === '2' ? lengths === 0 : codings === 1);
  const untilClose = !bodiless && !chunked && lengths === 0;
  const bodyLength = bodiless ? 0 : chunked || untilClose ? UNKNOWN_LENGTH : length;
  // A 204 has no length to speak of (RFC 9110 section 8.6); HEAD and 304 tell that of the body they leave out.
  const headers = endToEnd(raw, chunked, status === 204 ? LENGTH : NOTHING);
  if (empty && method !== 'HEAD') headers.push('Content-Length', '0');
  const persistent = !untilClose && !empty && persists(version, found.connection);
  return {
    status,
    reason,
    headers,
    bodyLength,
    chunked,
    persistent,
    keepAliveMs: found.keepAliveMs,
    stream: found.stream,
  };
}

function isAmbiguous(version: string, { lengths, length, codings, coding, connection }: Findings): boolean {
  // A length that Connection names would be taken out, and the client would read the body in another way than we do.
  if (connection.includes('content-length')) return true;
  if (lengths > 1 || length < 0 || codings > 1 || (lengths > 0 && codings > 0)) return true;
  return codings === 1 && (coding !== 'chunked' || version !== '1.1');
}

function inspect(raw: RawHeaders): Findings {
  const found: Findings = {
    lengths: 0,
    length: 0,
    codings: 0,
    coding: '',
    connection: '',
    keepAliveMs: undefined,
    stream: false,
  };
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const kind = kindOf(name);
    if (kind !== Kind.plain) note(found, kind, name, value);
    else if (name.length === CONTENT_TYPE_LENGTH && EVENT_STREAM.test(value)) found.stream = isContentType(name);
  }
  return found;
}

function isContentType(name: string): boolean {
  return name.toLowerCase() === 'content-type';
}

function note(found: Findings, kind: Kind, name: string, value: string): void {
  switch (kind) {
    case Kind.contentLength:
      found.lengths++;
      found.length = readContentLength(value);
      return;
    case Kind.transferEncoding:
      found.codings++;
      found.coding = value.toLowerCase();
      return;
    case Kind.connection:
      found.connection = found.connection === '' ? value.toLowerCase() : `${found.connection},${value.toLowerCase()}`;
      return;
    case Kind.hopByHop:
      if (name.toLowerCase() === 'keep-alive') found.keepAliveMs = readKeepAlive(value);
      return;
    default:
  }
}

/** Whether what a reader gave is a rejection. */
export function isRejection<T extends object>(result: T | Rejection): result is Rejection {
  return 'error' in result;
}

function persists(version: string, connection: string): boolean {
  if (connection === '' || connection === 'keep-alive') return version === '1.1' || connection !== '';
  // RFC 9112 section 9.3: close is looked at first, in every version.
  const members = listMembers(connection);
  return !members.includes('close') && (version === '1.1' || members.includes('keep-alive'));
}

function readKeepAlive(value: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

const CONNECT_REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: 'upstream_refused',
  ENOENT: 'upstream_refused',
  EACCES: 'upstream_refused',
  EADDRNOTAVAIL: 'upstream_refused',
  EHOSTUNREACH: 'upstream_refused',
  ENETUNREACH: 'upstream_refused',
  ENOTFOUND: 'upstream_unresolved',
  EAI_AGAIN: 'upstream_unresolved',
  ETIMEDOUT: 'upstream_connect_timeout',
};

/** The rejection for an error of the socket to the app. */
export function socketRejection(error: unknown, connected: boolean): Rejection {
  const reason = connected ? undefined : CONNECT_REASONS[errorCode(error)];
  return REJECTIONS[reason ?? 'upstream_closed'];
}

/** RFC 9110 section 9.2.2; TRACE never comes this far. */
const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];

/**
 * Whether a request may be sent a second time: one that the app has not looked at as long as its body is `kept` whole; one on
 * a connection that closed without a byte of an answer only where doing it twice does no harm, and no body was used up.
 */
export function mayRepeat(
  { method, bodyLength, upgrade, finished }: Pick<Exchange, 'method' | 'bodyLength' | 'upgrade' | 'finished'>,
  loss: 'unseen' | 'stale' | undefined,
  kept: { readonly whole: boolean } | undefined,
): boolean {
  if (loss === undefined || finished || upgrade !== undefined) return false;
  if (loss === 'stale') return bodyLength === 0 && IDEMPOTENT.includes(method);
  return bodyLength === 0 || kept?.whole === true;
}

/** Whether an interim answer goes to the client: 100 only to one that asked for it, the others to all. */
export function passesInterim(status: number, { headers }: { readonly headers: RawHeaders }): boolean {
  return status !== 100 || fieldValue(headers, 'expect') !== undefined;
}
