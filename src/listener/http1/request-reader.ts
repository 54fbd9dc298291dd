// The requests in the bytes of one client: a head, then its body once somebody wants it, then the next head. Holds what came
// and cannot be used yet. It knows no socket, and how long a body is it is told.

import { UNKNOWN_LENGTH } from '../../exchange.ts';
import { BodyReader } from '../../http/body.ts';
import type { ChunkSink } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { UnreadBytes } from '../../http/unread.ts';
import type { Account } from '../../net/budget.ts';
import { type HeadLimits, type RequestHead, readRequestHead } from './request-head.ts';

/** What the next bytes are: a head; a body that nobody wants yet; a body; the next request's; nobody's any more. */
const Next = { head: 0, held: 1, body: 2, complete: 3, closed: 4 } as const;
type Next = (typeof Next)[keyof typeof Next];

export class RequestReader {
  readonly #limits: HeadLimits;
  readonly #unread = new UnreadBytes();
  readonly #body: BodyReader;
  #next: Next = Next.head;
  #counted = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.#body = new BodyReader({ maxTrailerBytes: limits.maxHeaderBytes, maxFields: limits.maxFields });
  }

  /** Bytes that came and were not used. */
  get unread(): number {
    return this.#unread.length;
  }

  /** Counts what is unread to its sender. */
  count(account: Account): void {
    const { unread } = this;
    if (unread === this.#counted) return;
    account.count(unread - this.#counted);
    this.#counted = unread;
  }

  /** A body was begun, and its end has not come. */
  get inBody(): boolean {
    return this.#next === Next.body;
  }

  /** The request whose head was read is complete. */
  get complete(): boolean {
    return this.#next === Next.complete;
  }

  get closed(): boolean {
    return this.#next === Next.closed;
  }

  /** Of a complete request. */
  get trailers(): RawHeaders | undefined {
    return this.#body.trailers;
  }

  /** `bytes` are good until own(). */
  push(bytes: Buffer): void {
    if (this.#next !== Next.closed) this.#unread.push(bytes);
  }

  /** What is left of them is kept in memory of our own. */
  own(): void {
    this.#unread.own();
  }

  /** The next request's head; undefined while more of it must come, or the request before it is not over. */
  readHead(): RequestHead | undefined {
    if (this.#next !== Next.head) return undefined;
    const head = readRequestHead(this.#unread, this.#limits);
    if (head !== undefined) this.#next = Next.held;
    return head;
  }

  /** `length` in bytes, or UNKNOWN_LENGTH for the chunked coding. Once for each head; later calls have no effect. */
  beginBody(length: number): void {
    if (this.#next !== Next.held) return;
    this.#body.begin(length === UNKNOWN_LENGTH ? 'chunked' : 'length', length);
    this.#next = length === 0 ? Next.complete : Next.body;
  }

  /** Gives what has come of the body. False: the coding is broken. The sink may close the reader. */
  readBody(sink: ChunkSink): boolean {
    const { bytes } = this.#unread;
    if (bytes === undefined || this.#next !== Next.body) return true;
    const used = this.#body.feed(bytes, sink);
    if (this.closed) return true;
    if (used < 0) return false;
    this.#unread.skip(used);
    if (this.#body.done) this.#next = Next.complete;
    return true;
  }

  /** The exchange is over: what follows is the next request. */
  endRequest(): void {
    if (this.#next !== Next.closed) this.#next = Next.head;
  }

  /** A head that does not come in time is given up; an answer to it is the last. */
  drop(): void {
    this.#unread.clear();
  }

  /** Nothing is read any more; gives what was left. */
  close(): Buffer | undefined {
    const { bytes } = this.#unread;
    this.#unread.clear();
    this.#next = Next.closed;
    return bytes;
  }
}
