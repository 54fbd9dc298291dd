// The h2c forwarder: carries an exchange as one stream of a pooled HTTP/2 session, with trailers and cancellation both
// ways and the flow control of both ends coupled: a stream that stalls holds nothing but itself. An answer is complete
// only when the app marked its end (END_STREAM); a reset or a lost session fails the exchange, whatever Node calls it.

import { type ClientHttp2Stream, constants } from 'node:http2';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import { type Carrier, type Clock, type Exchange, type Failures, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { fieldValue } from '../../http/fields.ts';
import { fieldsOf } from '../../http/http2-fields.ts';
import { acceptOf } from '../../http/websocket.ts';
import { type AnswerHead, isRejection, mayRepeat, passesInterim } from '../answer.ts';
import { type Forwarder, type ForwardLimits, MAX_INTERIM, type Upstream } from '../forward.ts';
import { splice } from '../tunnel.ts';
import { answerHead, answerTrailers, owesTrailers, type RawAnswer, requestFields, splitStatus } from './message.ts';
import { type Borrower, SessionPool, type Timed } from './pool.ts';
import type { AppSession } from './session.ts';
import { cancel, cancelAfterWrites, closeRejection, isRefused, KeptBody, onMarkedEnd } from './stream.ts';

export type H2cOptions = { readonly upstream: Upstream; readonly limits: ForwardLimits; readonly clock: Clock };

export function createH2cForwarder(options: H2cOptions): Forwarder {
  const pool = new SessionPool(options);
  return {
    forward: (exchange, failures) => pool.borrow(new H2cCarrier(exchange, failures, pool)),
    close: () => pool.close(),
  };
}

class H2cCarrier implements Carrier, Borrower, Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #exchange: Exchange;
  readonly #failures: Failures;
  readonly #pool: SessionPool;
  readonly #kept = new KeptBody();
  #session: AppSession | undefined = undefined;
  #stream: ClientHttp2Stream | undefined = undefined;
  #requestDone = false;
  #requestTrailers: RawHeaders | undefined = undefined;
  #head: AnswerHead | undefined = undefined;
  #received = 0;
  #trailers: RawHeaders | undefined = undefined;
  /** The app has marked the end of its answer; what was read before may still wait in the stream. */
  #complete = false;
  #interims = 0;
  #retried = false;
  #tunnel = false;

  constructor(exchange: Exchange, failures: Failures, pool: SessionPool) {
    this.#exchange = exchange;
    this.#failures = failures;
    this.#pool = pool;
  }

  // ---- Borrower

  lend(session: AppSession): void {
    const exchange = this.#exchange;
    if (exchange.finished) return;
    if (this.#retried && !this.#kept.whole) return this.failed(REJECTIONS.upstream_closed);
    const { bodyLength, upgrade } = exchange;
    if (upgrade !== undefined && !(session.takesConnect && upgrade.toLowerCase() === 'websocket'))
      return this.failed(REJECTIONS.upstream_bad_upgrade);
    const endStream = bodyLength === 0 && upgrade === undefined;
    let stream: ClientHttp2Stream;
    try {
      const waitForTrailers = bodyLength === UNKNOWN_LENGTH;
      stream = session.request(requestFields(exchange), { endStream, waitForTrailers });
    } catch {
      return this.failed(REJECTIONS.malformed_request);
    }
    this.#session = session;
    this.#stream = stream;
    this.#listen(stream);
    this.#pool.watch(this);
    if (endStream) this.#requestDone = true;
    if (bodyLength === 0) this.#appOwes();
    if (this.#retried) this.#repeatBody(stream, endStream);
    else exchange.carry(this);
  }

  #repeatBody(stream: ClientHttp2Stream, bodiless: boolean): void {
    if (bodiless) return;
    for (const chunk of this.#kept.chunks) stream.write(chunk);
    if (!this.#requestDone) return this.#exchange.resumeBody();
    stream.end();
    this.#appOwes();
  }

  starved(): void {
    this.#failures.fail(this.#exchange, REJECTIONS.upstream_busy);
  }

  failed(rejection: Rejection): void {
    this.#failures.fail(this.#exchange, rejection);
  }

  #listen(stream: ClientHttp2Stream): void {
    onMarkedEnd(stream, () => {
      this.#complete = true;
    });
    const mine = (): boolean => stream === this.#stream;
    stream.on('error', ignoreError);
    stream.on('headers', (_fields: unknown, _flags: unknown, raw?: RawHeaders) => void (mine() && this.#interim(raw)));
    const begin = (_fields: unknown, flags: number, raw: RawHeaders): void => void (mine() && this.#begin(flags, raw));
    (stream as NodeJS.EventEmitter).on('response', begin);
    stream.on('trailers', (_fields: unknown, _flags: unknown, raw?: RawHeaders) => {
      this.#trailers = raw;
    });
    stream.on('wantTrailers', () => stream.sendTrailers(fieldsOf(this.#requestTrailers ?? [])));
    stream.on('drain', () => void (mine() && this.#appDrained()));
    stream.on('close', () => void (mine() && this.#closed(stream)));
  }

  // ---- Carrier: what the client sends

  body(chunk: Buffer): void {
    this.#kept.add(chunk);
    const stream = this.#stream;
    if (stream === undefined || stream.closed || stream.writableEnded) return;
    if (stream.write(chunk)) return this.#rest();
    this.#appOwes();
    this.#exchange.pauseBody();
  }

  bodyEnd(trailers: RawHeaders | undefined): void {
    this.#requestDone = true;
    this.#requestTrailers = trailers;
    this.#stream?.end();
    this.#appOwes();
  }

  drained(): void {
    if (this.#tunnel || this.#stream === undefined) return;
    this.#appOwes();
    this.#stream.resume();
  }

  gone(): void {
    this.#pool.forget(this);
    const stream = this.#stream;
    if (stream === undefined) return;
    if (this.#tunnel) return cancelAfterWrites(stream);
    this.#release();
    cancel(stream);
  }

  // ---- what the app sends

  #interim(raw: RawHeaders = []): void {
    const answer = splitStatus(raw, this.#pool.limits);
    if (isRejection(answer)) return this.#fail(answer);
    const { status, headers } = answer;
    if (status === 101 || ++this.#interims > MAX_INTERIM) return this.#fail(REJECTIONS.upstream_malformed);
    this.#appOwes();
    if (passesInterim(status, this.#exchange.headers)) this.#exchange.inform(status, headers);
  }

  #begin(flags: number, raw: RawHeaders): void {
    const exchange = this.#exchange;
    const stream = this.#stream as ClientHttp2Stream;
    const answer = splitStatus(raw, this.#pool.limits);
    if (isRejection(answer)) return this.#fail(answer);
    exchange.upstreamMs = this.#pool.clock() - exchange.startedMs;
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (exchange.upgrade !== undefined && !ended && answer.status < 300) return this.#switch(stream, answer);
    const head = answerHead(exchange, answer, ended);
    if (isRejection(head)) return this.#fail(head);
    this.#head = head;
    this.#kept.drop();
    // The trailers of gRPC need room behind a body of known length, too.
    const length = exchange.grpc && head.bodyLength > 0 ? UNKNOWN_LENGTH : head.bodyLength;
    exchange.answer(head.status, head.reason, head.headers, length);
    if (ended) return this.#end();
    this.#appOwes();
    stream.on('data', (chunk: Buffer) => void (stream === this.#stream && this.#data(stream, chunk)));
    stream.on('end', () => void (stream === this.#stream && this.#end()));
    // The head leaves with the first bytes of the body, where some have come along.
    if (stream.readableLength === 0 && !this.#complete) exchange.flush();
  }

  #data(stream: ClientHttp2Stream, chunk: Buffer): void {
    this.#received += chunk.length;
    this.#exchange.write(chunk);
    this.#appOwes();
    if (this.#exchange.flush()) return;
    stream.pause();
    this.#rest();
  }

  #end(): void {
    const head = this.#head as AnswerHead;
    if (!this.#complete) return this.#fail(REJECTIONS.upstream_closed);
    const trailers = answerTrailers(this.#trailers);
    if (trailers !== undefined && isRejection(trailers)) return this.#fail(trailers);
    if (head.bodyLength !== UNKNOWN_LENGTH && this.#received !== head.bodyLength)
      return this.#fail(REJECTIONS.upstream_closed);
    if (trailers === undefined && head.bodyLength !== 0 && owesTrailers(this.#exchange, head))
      return this.#fail(REJECTIONS.upstream_closed);
    const stream = this.#stream as ClientHttp2Stream;
    this.#release();
    this.#exchange.end(trailers);
    // An answer before the end of the request: the app wants no more of it.
    if (this.#requestDone) stream.resume();
    else cancel(stream);
  }

  #switch(stream: ClientHttp2Stream, { headers }: RawAnswer): void {
    const exchange = this.#exchange;
    this.#tunnel = true;
    this.#rest();
    headers.push('Upgrade', exchange.upgrade ?? '');
    if (exchange.protocol !== 'h2') {
      headers.push('Sec-WebSocket-Accept', acceptOf(fieldValue(exchange.headers, 'sec-websocket-key') ?? ''));
    }
    // Before the tunnel hears of an end: a reset is none.
    stream.on('aborted', () => exchange.cut());
    splice(exchange, 'Switching Protocols', headers, stream);
  }

  #appDrained(): void {
    if (this.#tunnel || this.#requestDone) return;
    this.#rest();
    this.#exchange.resumeBody();
  }

  // ---- ends

  #closed(stream: ClientHttp2Stream): void {
    if (this.#tunnel) return this.#release();
    this.#fail(closeRejection(stream, this.#head !== undefined));
  }

  #fail(rejection: Rejection): void {
    const stream = this.#stream;
    const session = this.#session;
    if (stream === undefined || session === undefined) return;
    const repeat = !this.#exchange.finished && this.#mayRepeat(stream, session, rejection);
    this.#release();
    cancel(stream);
    if (!repeat) return this.failed(rejection);
    this.#retried = true;
    this.#complete = false;
    this.#exchange.pauseBody();
    this.#pool.borrow(this);
  }

  /** Where the app cannot have acted: it refused the stream, or closed a session that it had kept idle. */
  #mayRepeat(stream: ClientHttp2Stream, session: AppSession, rejection: Rejection): boolean {
    const { upgrade } = this.#exchange;
    if (this.#retried || this.#head !== undefined || this.#interims > 0 || upgrade !== undefined) return false;
    if (isRefused(stream)) return this.#kept.whole;
    return session.reused && session.lost && rejection.reason === 'upstream_closed' && mayRepeat(this.#exchange);
  }

  #release(): void {
    this.#stream = undefined;
    this.#rest();
    this.#pool.unwatch(this);
    this.#session?.release();
    this.#session = undefined;
  }

  // ---- time

  expire(): void {
    this.#fail(REJECTIONS.upstream_timeout);
  }

  /** A byte is owed by the app from now on, unless the answer is one that may be silent. */
  #appOwes(): void {
    const patient = this.#head !== undefined && (this.#head.stream || this.#exchange.grpc);
    this.deadlineMs = patient ? Number.POSITIVE_INFINITY : this.#pool.clock() + this.#pool.limits.upstreamTimeoutMs;
  }

  #rest(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }
}

function ignoreError(): void {
  // A close always follows.
}
