// The syntax of an HTTP/1.1 head (RFC 9112 sections 2 to 5), for requests and answers alike. It only reads: what a
// field means, and whether the message is acceptable, is decided elsewhere. Strict: lines end in CRLF, no folded
// lines, no space before a colon, no control characters; whatever fails is refused and never repaired.

import type { RawHeaders } from './fields.ts';
import { Derived } from './repeats.ts';

const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const COLON = 58;

const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN[char.charCodeAt(0)] = 1;
}
/** Bytes of a field value: tab, visible ASCII, space and obs-text (RFC 9110 section 5.5). */
const VALUE = new Uint8Array(256).fill(1, 0x20).fill(1, TAB, TAB + 1);
VALUE[0x7f] = 0;

export type HeadReason = 'syntax' | 'too_many_fields';

/** Whether the text is one RFC 9110 token. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** Whether the text may stand as a field value. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (VALUE[text.charCodeAt(i)] !== 1) return false;
  return true;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Index of the CRLF CRLF that ends a head, or -1. */
export function findHeadEnd(bytes: Buffer, from: number): number {
  return bytes.indexOf(HEAD_END, from);
}

/**
 * Whether an unfinished head already holds a line end that no valid head has, so that waiting is pointless. Looks at the
 * bytes from `from` on.
 */
export function hasBareLineFeed(bytes: Buffer, from = 0): boolean {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) return true;
  }
  return false;
}

/**
 * Appends the fields of `text` (from `from`; every line with its CRLF) to `into`. Values lose the white space
 * around them and nothing else.
 */
export function readFields(text: string, from: number, maxFields: number, into: RawHeaders): HeadReason | undefined {
  const end = text.length;
  let at = from;
  while (at < end) {
    let i = at;
    while (TOKEN[text.charCodeAt(i)] === 1) i++;
    if (i === at || text.charCodeAt(i) !== COLON) return 'syntax';
    const name = text.slice(at, i);
    i++;
    let code = text.charCodeAt(i);
    while (code === SP || code === TAB) code = text.charCodeAt(++i);
    const start = i;
    while (VALUE[text.charCodeAt(i)] === 1) i++;
    if (text.charCodeAt(i) !== CR || text.charCodeAt(i + 1) !== LF) return 'syntax';
    at = i + 2;
    while (i > start && (text.charCodeAt(i - 1) === SP || text.charCodeAt(i - 1) === TAB)) i--;
    if (into.length >= maxFields * 2) return 'too_many_fields';
    into.push(name, text.slice(start, i));
  }
  return undefined;
}

export type RequestLine = { method: string; target: string; version: string; end: number };

/** The request line, or undefined. The target is any run of visible ASCII; `version` is what follows `HTTP/`. */
export function readRequestLine(text: string): RequestLine | undefined {
  let i = 0;
  while (TOKEN[text.charCodeAt(i)] === 1) i++;
  if (i === 0 || text.charCodeAt(i) !== SP) return undefined;
  const method = text.slice(0, i);
  const start = ++i;
  let code = text.charCodeAt(i);
  while (code > 0x20 && code < 0x7f) code = text.charCodeAt(++i);
  if (i === start || code !== SP) return undefined;
  const target = text.slice(start, i);
  if (!text.startsWith('HTTP/', i + 1)) return undefined;
  const version = text.slice(i + 6, i + 9);
  if (text.charCodeAt(i + 9) !== CR || text.charCodeAt(i + 10) !== LF || !isVersion(version)) return undefined;
  return { method, target, version, end: i + 11 };
}

export type StatusLine = { status: number; reason: string; version: string; end: number };

/** The status line, or undefined. A missing reason phrase, and the space before it, are tolerated as servers omit them. */
export function readStatusLine(text: string): StatusLine | undefined {
  const lineEnd = text.indexOf('\r\n');
  if (!text.startsWith('HTTP/') || text.charCodeAt(8) !== SP || lineEnd < 12) return undefined;
  const version = text.slice(5, 8);
  if (!isVersion(version)) return undefined;
  let status = 0;
  for (let i = 9; i < 12; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    status = status * 10 + digit;
  }
  if (lineEnd > 12 && text.charCodeAt(12) !== SP) return undefined;
  const reason = text.slice(13, lineEnd);
  return isFieldValue(reason) ? { status, reason, version, end: lineEnd + 2 } : undefined;
}

function isVersion(text: string): boolean {
  const major = text.charCodeAt(0) - 48;
  const minor = text.charCodeAt(2) - 48;
  return text.length === 3 && text.charCodeAt(1) === 46 && major >= 0 && major <= 9 && minor >= 0 && minor <= 9;
}

/**
 * A Content-Length value as a number of bytes, or -1 when it is not one canonical decimal number: no sign, list,
 * leading zero or more than 2^53 (RFC 9112 section 6.3; a parser that read it otherwise would desynchronise).
 */
export function readContentLength(value: string): number {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(value)) return -1;
  const length = Number(value);
  return Number.isSafeInteger(length) ? length : -1;
}

const TEXTS = new Derived<string>();

/** One line a field, each with its CRLF. */
export function writeFields(headers: RawHeaders): string {
  const known = TEXTS.of(headers);
  if (known !== undefined) return known;
  let text = '';
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  TEXTS.set(headers, text);
  return text;
}
