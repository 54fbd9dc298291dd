// One connection to the app: writes a request, reads its answer, and knows whether it may be used again: only when
// request and answer were both complete, the app keeps it open, and nothing more arrived. A connection that saw an
// abort, an upgrade or a wrong length is destroyed. It knows HTTP/1.1 messages, not exchanges.

import { Socket } from 'node:net';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import { UNKNOWN_LENGTH } from '../../exchange.ts';
import { BodyReader } from '../../http/body.ts';
import type { ChunkSink } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { type AnswerHead, isRejection, readAnswer, socketRejection } from '../answer.ts';
import { MAX_INTERIM } from '../forward.ts';
import { agreesTo } from '../tunnel.ts';
import { type RawHead, readHead } from './answer-head.ts';
import type { Pool } from './pool.ts';
import { type RequestHead, requestText, writeChunk, writeLastChunk } from './request.ts';
import { COPY_BYTES, type Reader, type Slab } from './shared-reads.ts';

/** Who gets the answer. After answerEnd(), failed() or switched() nothing more is called. */
export interface AnswerReceiver {
  interim(status: number, headers: RawHeaders): void;
  answerHead(head: AnswerHead): void;
  /** `release`, if there is one, is called when the bytes are not needed any more. */
  answerBody(chunk: Buffer, release: (() => void) | undefined): void;
  answerEnd(trailers: RawHeaders | undefined): void;
  /** All that one read brought has been given. False: stop reading until proceed(). */
  settle(): boolean;
  /** The app takes request bytes again. */
  appDrained(): void;
  failed(rejection: Rejection): void;
  /** The app answered 101; the socket, with whatever followed, is no longer ours. */
  switched(reason: string, headers: RawHeaders, socket: Socket): void;
}

const Reading = { idle: 0, head: 1, body: 2 } as const;
type Reading = (typeof Reading)[keyof typeof Reading];

/** Never connected: so that the field has one shape from the start. */
const UNATTACHED = new Socket();

export class AppConnection implements Reader, ChunkSink {
  /** When expire() is due; Infinity while nothing is owed by the app. */
  deadlineMs: number;
  /** Whether an exchange was completed on it before: then the app may have closed it unnoticed. */
  reused = false;
  /** Whether a byte of the present answer has come. */
  answering = false;
  #socket: Socket = UNATTACHED;
  readonly #pool: Pool;
  #receiver: AnswerReceiver | undefined = undefined;
  #connected = false;
  #suspended = false;
  #error: unknown = undefined;
  #reading: Reading = Reading.idle;
  #unread: Buffer | undefined = undefined;
  #method = '';
  #upgrade: string | undefined = undefined;
  #interims = 0;
  readonly #body: BodyReader;
  #chunkedRequest = false;
  #requestDone = false;
  #persistent = true;
  #patient = false;
  #idleMs: number;
  /** Whether the bytes that are being read are in a buffer that others use after us, and what has to be held to keep them. */
  #lent = false;
  #slab: Slab | undefined = undefined;
  /** One read has been passed on that the client had not taken when it came. */
  #ahead = false;
  /** For a socket that emits its data: what it gives is ours to keep. */
  readonly onData = (bytes: Buffer): void => {
    this.#lent = false;
    this.#read(bytes);
  };
  readonly #onDrain = (): void => this.#receiver?.appDrained();
  readonly #onEnd = (): void => this.#appEnded();
  readonly #onClose = (): void => this.#closed();

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#body = new BodyReader({ maxTrailerBytes: pool.limits.maxHeaderBytes, maxFields: pool.limits.maxFields });
    this.#idleMs = pool.limits.idleTimeoutMs;
    this.deadlineMs = pool.clock() + pool.limits.connectTimeoutMs;
  }

  /** Once, at once: the socket is made with this connection as its reader. */
  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('connect', () => {
      this.#connected = true;
      if (this.#suspended) this.suspend();
      else this.proceed();
    });
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', this.#onClose);
  }

  get midBody(): boolean {
    return this.#reading === Reading.body;
  }

  /** Of bytes without a slab nothing is kept. */
  take(bytes: Buffer, slab: Slab | undefined): void {
    this.#lent = true;
    this.#slab = slab;
    this.#read(bytes);
  }

  /** The client has taken all that was passed on: reading goes on. */
  clientDrained(): void {
    this.#ahead = false;
    this.proceed();
  }

  /** Writes the head; with a body, the head waits for the body's first bytes of the same turn. */
  send(request: RequestHead, receiver: AnswerReceiver): void {
    this.#receiver = receiver;
    this.#reading = Reading.head;
    this.#method = request.method;
    this.#upgrade = request.upgrade;
    this.#interims = 0;
    this.answering = false;
    this.#patient = false;
    this.#requestDone = request.bodyLength === 0;
    this.#chunkedRequest = request.bodyLength === UNKNOWN_LENGTH;
    if (!this.#requestDone) {
      this.#socket.cork();
      process.nextTick(uncork, this.#socket);
    }
    this.#socket.write(requestText(request), 'latin1');
    this.proceed();
  }

  /** Body bytes. False: wait for appDrained(). */
  sendBody(chunk: Buffer): boolean {
    this.proceed();
    return this.#chunkedRequest ? writeChunk(this.#socket, chunk) : this.#socket.write(chunk);
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    this.#requestDone = true;
    this.proceed();
    if (this.#chunkedRequest) writeLastChunk(this.#socket, trailers);
  }

  /** The app owes a byte from now on, and reading goes on. */
  proceed(): void {
    this.#suspended = false;
    if (this.#connected) {
      this.deadlineMs = this.#patient
        ? Number.POSITIVE_INFINITY
        : this.#pool.clock() + this.#pool.limits.upstreamTimeoutMs;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** It is the client's turn: the app owes nothing. */
  suspend(): void {
    this.#suspended = true;
    if (this.#connected) this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  expire(): void {
    if (this.#reading === Reading.idle) return this.destroy();
    this.#fail(REJECTIONS[this.#connected ? 'upstream_timeout' : 'upstream_connect_timeout']);
  }

  destroy(): void {
    this.#receiver = undefined;
    this.#reading = Reading.idle;
    this.#pool.drop(this);
    this.#socket.destroy();
  }

  // ---- reading the answer

  #read(bytes: Buffer): void {
    const receiver = this.#receiver;
    // What nobody asked for would be taken for the answer to the next request (CVE-2026-48931).
    if (receiver === undefined) return this.destroy();
    this.answering = true;
    this.deadlineMs = this.#patient
      ? Number.POSITIVE_INFINITY
      : this.#pool.clock() + this.#pool.limits.upstreamTimeoutMs;
    let unread = this.#unread === undefined ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#unread = undefined;
    while (unread.length > 0 && this.#receiver === receiver) {
      const used = this.#reading === Reading.head ? this.#readHead(unread) : this.#readBody(unread);
      if (used < 0) return;
      if (used === 0) break;
      unread = unread.subarray(used);
    }
    if (this.#receiver !== receiver) return;
    if (unread.length > 0) this.#unread = this.#lent ? Buffer.from(unread) : unread;
    if (receiver.settle() || this.#receiver !== receiver) return;
    // Most writes are done before the next read: pausing at once would cost two system calls for each of them.
    if (this.#ahead) this.#socket.pause();
    this.#ahead = true;
    this.suspend();
  }

  /** Bytes used; 0 when more are needed; -1 when the answer, or the connection, is over. */
  #readHead(bytes: Buffer): number {
    const head = readHead(bytes, this.#pool.limits);
    if (head === undefined) return 0;
    if ('error' in head) return this.#fail(head);
    const { version, status, reason, headers, used } = head;
    if (status === 101) return this.#switch(head, bytes.subarray(used));
    if (status >= 200) return this.#begin(readAnswer(this.#method, version, status, reason, headers), bytes, used);
    if (status < 100 || ++this.#interims > MAX_INTERIM) return this.#fail(REJECTIONS.upstream_malformed);
    this.#receiver?.interim(status, headers);
    return used;
  }

  #begin(head: AnswerHead | Rejection, bytes: Buffer, used: number): number {
    if (isRejection(head)) return this.#fail(head);
    const { bodyLength, chunked, persistent, stream, keepAliveMs } = head;
    this.#persistent = persistent;
    this.#patient = stream;
    if (stream) this.suspend();
    if (keepAliveMs !== undefined) this.#shortenIdle(keepAliveMs);
    this.#body.begin(chunked ? 'chunked' : bodyLength === UNKNOWN_LENGTH ? 'until-close' : 'length', bodyLength);
    this.#reading = Reading.body;
    this.#receiver?.answerHead(head);
    if (bodyLength === 0) return this.#complete(bytes.length > used);
    return used;
  }

  #readBody(bytes: Buffer): number {
    const receiver = this.#receiver;
    const used = this.#body.feed(bytes, this);
    if (this.#receiver !== receiver) return -1;
    if (used < 0) return this.#fail(REJECTIONS.upstream_malformed);
    return this.#body.done ? this.#complete(bytes.length > used) : used;
  }

  /** A slice of the body. The receiver may keep it: small ones are copied, for large ones the slab is held. */
  chunk(data: Buffer): void {
    const slab = this.#slab;
    if (!this.#lent) return this.#receiver?.answerBody(data, undefined);
    if (slab === undefined || data.length <= COPY_BYTES)
      return this.#receiver?.answerBody(Buffer.from(data), undefined);
    slab.hold();
    this.#receiver?.answerBody(data, slab.release);
  }

  /** Gives the connection back before the answer ends, so that the client's next request finds it. */
  #complete(surplus: boolean): number {
    const receiver = this.#receiver;
    if (receiver === undefined) return -1;
    const { trailers } = this.#body;
    this.#receiver = undefined;
    this.#reading = Reading.idle;
    this.#ahead = false;
    // Servers hand the socket of an upgrade to somebody else, even where it is refused: nobody there reads a next request.
    const reusable = this.#requestDone && this.#persistent && this.#upgrade === undefined && this.#idleMs > 0;
    if (!reusable || surplus || this.#socket.readableEnded) {
      this.destroy();
    } else {
      this.reused = true;
      this.deadlineMs = this.#pool.clock() + this.#idleMs;
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#pool.takeBack(this);
    }
    receiver.answerEnd(trailers);
    return -1;
  }

  #switch({ reason, headers }: RawHead, rest: Buffer): number {
    const receiver = this.#receiver;
    if (!agreesTo(this.#upgrade, headers)) return this.#fail(REJECTIONS.upstream_bad_upgrade);
    const socket = this.#socket;
    this.#receiver = undefined;
    this.#pool.drop(this);
    socket.off('data', this.onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    receiver?.switched(reason, headers, socket);
    return -1;
  }

  /** A second before the app's own limit, so that no request meets a closing connection. */
  #shortenIdle(keepAliveMs: number): void {
    this.#idleMs = Math.min(this.#pool.limits.idleTimeoutMs, keepAliveMs - 1000);
  }

  // ---- ends

  #appEnded(): void {
    const receiver = this.#receiver;
    if (receiver !== undefined && this.#reading === Reading.body && this.#body.untilClose) {
      this.#receiver = undefined;
      this.destroy();
      receiver.answerEnd(undefined);
    } else {
      this.#fail(REJECTIONS.upstream_closed);
    }
  }

  #closed(): void {
    this.#fail(socketRejection(this.#error, this.#connected));
  }

  #fail(rejection: Rejection): -1 {
    const receiver = this.#receiver;
    this.destroy();
    receiver?.failed(rejection);
    return -1;
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}
