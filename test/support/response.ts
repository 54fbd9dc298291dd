// Reads HTTP/1 responses off what a raw client received: a small parser of our own, so that Node's does not judge Node's.
// It says what came, and how far; it rejects only what cannot be read at all.

import { patienceMs } from './poll.ts';
import type { Received } from './received.ts';

export type RawResponse = {
  status: number;
  reason: string;
  version: string;
  /** Raw flat list: name, value, name, value; names in their own case, values without the space around them. */
  headers: string[];
  /** From the status line to the last field, without the empty line, latin1. */
  headText: string;
  body: Buffer;
  trailers: string[];
  /** How the end of the body was told. */
  framing: 'none' | 'length' | 'chunked' | 'close';
  /**
   * False when the connection ended before the body did. For `close` only an RST makes it false, and not surely: node:tls takes
   * a FIN without close_notify for an end in order, and libuv on Node 20 an RST that comes together with bytes. Judge a cut
   * `close` body with another client too (curl says "unexpected eof").
   */
  complete: boolean;
  /** The 1xx that came first; 101 is an answer of its own and stands in `status`. */
  informational: { status: number; headers: string[] }[];
};

export type ReadOptions = {
  /** The answer to a HEAD: no body follows, whatever its head says. */
  head?: boolean;
  /** For the whole response; default patienceMs. */
  deadlineMs?: number;
};

type Head = Pick<RawResponse, 'status' | 'reason' | 'version' | 'headers' | 'headText'> & { next: number };
type Body = Pick<RawResponse, 'body' | 'trailers' | 'framing' | 'complete'> & { next: number };

/** The response that begins at `from`, and where the next one will. Rejects when its head does not come whole. */
export async function readResponse(
  received: Received,
  from: number,
  options: ReadOptions = {},
): Promise<{ response: RawResponse; next: number }> {
  const reader = new Reader(received, performance.now() + (options.deadlineMs ?? patienceMs));
  const informational: RawResponse['informational'] = [];
  let head = await readHead(reader, from);
  while (head.status >= 100 && head.status < 200 && head.status !== 101) {
    informational.push({ status: head.status, headers: head.headers });
    head = await readHead(reader, head.next);
  }
  const { next, ...body } = await readBody(reader, head, options.head === true);
  const { next: _bodyStart, ...line } = head;
  return { response: { ...line, ...body, informational }, next };
}

/** All values of a field in a raw flat list, in order; the name in any case. */
export function valuesOf(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === name.toLowerCase()) values.push(headers[at + 1] ?? '');
  }
  return values;
}

async function readHead(reader: Reader, from: number): Promise<Head> {
  const end = await reader.find('\r\n\r\n', from, 'the end of a response head');
  const headText = reader.text(from, end);
  const [statusLine = '', ...lines] = headText.split('\r\n');
  const match = /^HTTP\/(\d\.\d) (\d{3})(?: (.*))?$/.exec(statusLine);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine.slice(0, 200))}`);
  const [, version = '', status = '', reason = ''] = match;
  return { status: Number(status), reason, version, headers: fieldsOf(lines), headText, next: end + 4 };
}

function fieldsOf(lines: string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error(`not a field line: ${JSON.stringify(line.slice(0, 200))}`);
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
  });
}

async function readBody(reader: Reader, head: Head, isHead: boolean): Promise<Body> {
  const start = head.next;
  if (isHead || head.status === 101 || head.status === 204 || head.status === 304) {
    return { body: Buffer.alloc(0), trailers: [], framing: 'none', complete: true, next: start };
  }
  const codings = valuesOf(head.headers, 'transfer-encoding').join(',');
  if (/\bchunked[ \t]*$/i.test(codings)) return readChunked(reader, start);
  const length = valuesOf(head.headers, 'content-length')[0];
  if (length === undefined || codings !== '') return readToClose(reader, start);
  if (!/^\d+$/.test(length)) throw new Error(`not a Content-Length: ${JSON.stringify(length)}`);
  const end = start + Number(length);
  const complete = await reader.have(end, `a body of ${length} bytes`);
  const next = Math.min(end, reader.length);
  return { body: reader.copy(start, next), trailers: [], framing: 'length', complete, next };
}

async function readToClose(reader: Reader, start: number): Promise<Body> {
  await reader.have(Number.POSITIVE_INFINITY, 'the end of the connection');
  const complete = reader.endedInOrder;
  return { body: reader.copy(start, reader.length), trailers: [], framing: 'close', complete, next: reader.length };
}

async function readChunked(reader: Reader, start: number): Promise<Body> {
  const chunks: Buffer[] = [];
  const result = (complete: boolean, next: number, trailers: string[] = []): Body => {
    return { body: Buffer.concat(chunks), trailers, framing: 'chunked', complete, next };
  };
  let at = start;
  for (;;) {
    const lineEnd = await reader.seek('\r\n', at, 'a chunk size');
    if (lineEnd === undefined) return result(false, reader.length);
    const line = reader.text(at, lineEnd);
    const size = /^([0-9a-fA-F]+)[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) throw new Error(`not a chunk size: ${JSON.stringify(line.slice(0, 200))}`);
    const dataStart = lineEnd + 2;
    const dataEnd = dataStart + Number.parseInt(size, 16);
    if (dataEnd === dataStart) return readTrailers(reader, dataStart, result);
    const whole = await reader.have(dataEnd + 2, `a chunk of 0x${size} bytes`);
    chunks.push(reader.copy(dataStart, Math.min(dataEnd, reader.length)));
    if (!whole) return result(false, reader.length);
    if (reader.text(dataEnd, dataEnd + 2) !== '\r\n') throw new Error(`no CRLF after a chunk of 0x${size} bytes`);
    at = dataEnd + 2;
  }
}

async function readTrailers(
  reader: Reader,
  start: number,
  result: (complete: boolean, next: number, trailers?: string[]) => Body,
): Promise<Body> {
  const lines: string[] = [];
  let at = start;
  for (;;) {
    const lineEnd = await reader.seek('\r\n', at, 'the end of the trailers');
    if (lineEnd === undefined) return result(false, reader.length, fieldsOf(lines));
    if (lineEnd === at) return result(true, lineEnd + 2, fieldsOf(lines));
    lines.push(reader.text(at, lineEnd));
    at = lineEnd + 2;
  }
}

// Waits on a Received up to one deadline. `have` and `seek` tell an end of the connection; a passed deadline rejects.
class Reader {
  readonly #received: Received;
  readonly #deadline: number;

  constructor(received: Received, deadline: number) {
    this.#received = received;
    this.#deadline = deadline;
  }

  get length(): number {
    return this.#received.length;
  }

  get endedInOrder(): boolean {
    return this.#received.ended && this.#received.error === undefined;
  }

  /** Whether there are bytes up to `end`: true once they came, false when the connection ended before. */
  async have(end: number, what: string): Promise<boolean> {
    await this.#until(() => this.length >= end || this.#received.ended, what);
    return this.length >= end;
  }

  /** Where `mark` stands at or after `from`; undefined when the connection ended before. */
  async seek(mark: string, from: number, what: string): Promise<number | undefined> {
    let searched = from;
    let found = -1;
    const search = (): boolean => {
      found = this.#received.bytes.indexOf(mark, searched, 'latin1');
      searched = Math.max(from, this.length - mark.length + 1);
      return found !== -1;
    };
    await this.#until(() => search() || this.#received.ended, what);
    return found === -1 ? undefined : found;
  }

  /** Like seek, but an end of the connection rejects. */
  async find(mark: string, from: number, what: string): Promise<number> {
    const found = await this.seek(mark, from, what);
    if (found !== undefined) return found;
    await this.#until(() => false, what); // rejects, with how it ended
    throw new Error('unreachable');
  }

  text(from: number, to: number): string {
    return this.#received.bytes.toString('latin1', from, to);
  }

  copy(from: number, to: number): Buffer {
    return Buffer.from(this.#received.bytes.subarray(from, to));
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    const deadlineMs = Math.max(0, this.#deadline - performance.now());
    await this.#received.until(holds, { deadlineMs: Math.ceil(deadlineMs), what });
  }
}
