// Reads what the app sends on one connection, one answer after the other: interim heads, the head, the body, trailers. It finds
// where each ends and what must not be there; it knows no socket, and judges nothing that answer.ts does not.

import { REJECTIONS, type Rejection } from '../../errors.ts';
import { UNKNOWN_LENGTH } from '../../exchange.ts';
import { BodyReader } from '../../http/body.ts';
import type { ChunkSink } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { UnreadBytes } from '../../http/unread.ts';
import type { Slab } from '../../net/slabs.ts';
import { type AnswerHead, isRejection, readAnswer } from '../answer.ts';
import { type HeadLimits, type RawHead, readHead } from './answer-head.ts';
import { COPY_BYTES } from './shared-reads.ts';

/** What is read, as it is read; after complete(), switched() and broken() nothing more of this answer. */
export interface AnswerSink {
  interim(status: number, headers: RawHeaders): void;
  head(head: AnswerHead): void;
  /** A slice that is good during the call; with `release` it is until that is called. */
  body(chunk: Buffer, release: (() => void) | undefined): void;
  /** `surplus`: more bytes have come than the answer has. */
  complete(trailers: RawHeaders | undefined, surplus: boolean): void;
  /** A 101, and what came after it. */
  switched(head: RawHead, rest: Buffer): void;
  broken(rejection: Rejection): void;
}

const State = { idle: 0, head: 1, body: 2 } as const;
type State = (typeof State)[keyof typeof State];

export class AnswerReader implements ChunkSink {
  readonly #limits: HeadLimits;
  readonly #sink: AnswerSink;
  readonly #body: BodyReader;
  #state: State = State.idle;
  readonly #unread = new UnreadBytes();
  #method = '';
  /** What has to be held to keep the bytes that are being read. */
  #slab: Slab | undefined = undefined;

  constructor(limits: HeadLimits, sink: AnswerSink) {
    this.#limits = limits;
    this.#sink = sink;
    this.#body = new BodyReader({ maxTrailerBytes: limits.maxHeaderBytes, maxFields: limits.maxFields });
  }

  /** Whether what comes next is more of a body. */
  get midBody(): boolean {
    return this.#state === State.body;
  }

  /** The next answer is to a request with this method. */
  begin(method: string): void {
    this.#method = method;
    this.#state = State.head;
  }

  /** Nothing more is read of it. */
  stop(): void {
    this.#state = State.idle;
    this.#unread.clear();
  }

  /** The bytes are good during the call, and with a slab as long as that is held. */
  read(bytes: Buffer, slab: Slab | undefined): void {
    const unread = this.#unread;
    this.#slab = slab;
    unread.push(bytes);
    while (this.#state !== State.idle && unread.bytes !== undefined) {
      const used = this.#state === State.head ? this.#readHead(unread.bytes) : this.#readBody(unread.bytes);
      if (used === 0) break;
      unread.skip(used);
    }
    if (this.#state === State.idle) unread.clear();
    else unread.own();
  }

  /** The slab is held for what is worth it. */
  chunk(data: Buffer): void {
    const slab = this.#slab;
    if (slab === undefined || data.length <= COPY_BYTES) return this.#sink.body(data, undefined);
    slab.hold();
    this.#sink.body(data, slab.release);
  }

  /** The app has ended its direction. */
  end(): void {
    if (this.#state === State.body && this.#body.untilClose) this.#complete(true);
    else this.#break(REJECTIONS.upstream_closed);
  }

  /** Bytes used; 0 when more are needed. */
  #readHead(bytes: Buffer): number {
    const head = readHead(this.#unread, bytes, this.#limits);
    if (head === undefined) return 0;
    if ('error' in head) return this.#break(head);
    const { version, status, reason, headers, used } = head;
    if (status === 101) return this.#switch(head, bytes.subarray(used));
    if (status >= 200) return this.#begin(readAnswer(this.#method, version, status, reason, headers), bytes, used);
    if (status < 100) return this.#break(REJECTIONS.upstream_malformed);
    this.#sink.interim(status, headers);
    return used;
  }

  #begin(head: AnswerHead | Rejection, bytes: Buffer, used: number): number {
    if (isRejection(head)) return this.#break(head);
    const { bodyLength, chunked } = head;
    this.#body.begin(chunked ? 'chunked' : bodyLength === UNKNOWN_LENGTH ? 'until-close' : 'length', bodyLength);
    this.#state = State.body;
    this.#sink.head(head);
    if (bodyLength === 0 && this.midBody) this.#complete(bytes.length > used);
    return used;
  }

  #readBody(bytes: Buffer): number {
    const used = this.#body.feed(bytes, this);
    if (!this.midBody) return bytes.length;
    if (used < 0) return this.#break(REJECTIONS.upstream_malformed);
    if (this.#body.done) this.#complete(bytes.length > used);
    return used;
  }

  #complete(surplus: boolean): void {
    const { trailers } = this.#body;
    this.stop();
    this.#sink.complete(trailers, surplus);
  }

  #switch(head: RawHead, rest: Buffer): number {
    this.stop();
    this.#sink.switched(head, rest);
    return head.used;
  }

  #break(rejection: Rejection): number {
    this.stop();
    this.#sink.broken(rejection);
    return 0;
  }
}
