// One exchange as a stream of a session to the app. An answer is complete only when the app marked its end (END_STREAM); a
// reset or a lost session is a failure, whatever Node calls it. A stream that stalls holds nothing but itself.

import { type ClientHttp2Stream, constants } from 'node:http2';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../exchange.ts';
import { fieldValue, type RawHeaders } from '../../http/fields.ts';
import { fieldsOf } from '../../http/http2-fields.ts';
import { acceptOf } from '../../http/websocket.ts';
import { guarded } from '../../net/guard.ts';
import { type AnswerHead, isRejection } from '../answer.ts';
import type { Loss, Receiver, Transport } from '../transport.ts';
import { answerHead, owesTrailers, type RawAnswer, requestFields, splitStatus, trailersRejection } from './message.ts';
import { cancel, cancelAfterWrites, closeRejection, isRefused, onMarkedEnd } from './node-stream.ts';
import type { AppSession } from './session.ts';

/** What is known of an answer whose head has come. */
type Answer = { readonly head: AnswerHead; received: number; trailers: RawHeaders | undefined };

export class AppStream implements Transport {
  /** A session is lent when it is open. */
  readonly connected = true;
  readonly keepsTime = false;
  readonly #session: AppSession;
  #exchange: Exchange | undefined = undefined;
  #receiver: Receiver | undefined = undefined;
  #stream: ClientHttp2Stream | undefined = undefined;
  #requestDone = false;
  #requestTrailers: RawHeaders | undefined = undefined;
  #answer: Answer | undefined = undefined;
  /** The app has marked the end of its answer; what was read before may still wait in the stream. */
  #complete = false;

  constructor(session: AppSession) {
    this.#session = session;
  }

  // ---- Transport

  send(exchange: Exchange, receiver: Receiver): void {
    const { bodyLength, upgrade } = exchange;
    if (upgrade !== undefined && !(this.#session.takesConnect && upgrade.toLowerCase() === 'websocket'))
      return receiver.failed(REJECTIONS.upstream_bad_upgrade);
    const endStream = bodyLength === 0 && upgrade === undefined;
    let stream: ClientHttp2Stream;
    try {
      const options = { endStream, waitForTrailers: bodyLength === UNKNOWN_LENGTH };
      stream = this.#session.request(requestFields(exchange), options);
    } catch {
      return receiver.failed(REJECTIONS.malformed_request);
    }
    this.#exchange = exchange;
    this.#receiver = receiver;
    this.#stream = stream;
    this.#requestDone = endStream;
    this.#listen(stream);
  }

  sendBody(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (stream === undefined || stream.closed || stream.writableEnded) return true;
    return stream.write(chunk);
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    this.#requestDone = true;
    this.#requestTrailers = trailers;
    this.#stream?.end();
  }

  pauseAnswer(): void {
    this.#stream?.pause();
  }

  resumeAnswer(): void {
    if (this.#stream?.isPaused() === true) this.#stream.resume();
  }

  abandon(): void {
    const stream = this.#release();
    if (stream !== undefined) cancel(stream);
  }

  // ---- what the app sends

  #listen(stream: ClientHttp2Stream): void {
    onMarkedEnd(stream, () => {
      this.#complete = true;
    });
    /** What comes after this has let the stream go concerns nobody. */
    const mine = <A = void, B = void, C = void>(run: (a: A, b: B, c: C) => void) =>
      guarded(this, (a: A, b: B, c: C) => {
        if (stream === this.#stream) run(a, b, c);
      });
    stream.on('error', ignoreError);
    stream.on(
      'headers',
      mine((_fields: unknown, _flags: unknown, raw?: RawHeaders) => this.#interim(raw)),
    );
    const begin = mine((_fields: unknown, flags: number, raw: RawHeaders) => this.#begin(stream, flags, raw));
    (stream as NodeJS.EventEmitter).on('response', begin);
    const trailers = mine((_fields: unknown, _flags: unknown, raw?: RawHeaders) => {
      if (this.#answer !== undefined) this.#answer.trailers = raw;
    });
    stream.on('trailers', trailers);
    const trail = (): void => stream.sendTrailers(fieldsOf(this.#requestTrailers ?? []));
    stream.on('wantTrailers', guarded(this, trail));
    stream.on(
      'drain',
      mine(() => this.#receiver?.appDrained()),
    );
    stream.on(
      'close',
      mine(() => this.#fail(closeRejection(stream, this.#answer !== undefined))),
    );
  }

  #interim(raw: RawHeaders = []): void {
    const answer = splitStatus(raw, this.#session.options.limits);
    if (isRejection(answer)) return this.#fail(answer);
    this.#receiver?.interim(answer.status, answer.headers);
  }

  #begin(stream: ClientHttp2Stream, flags: number, raw: RawHeaders): void {
    const { grpc, upgrade } = this.#asked;
    const answer = splitStatus(raw, this.#session.options.limits);
    if (isRejection(answer)) return this.#fail(answer);
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (upgrade !== undefined && !ended && answer.status < 300) return this.#switch(stream, answer);
    const head = answerHead(this.#asked, answer, ended);
    if (isRejection(head)) return this.#fail(head);
    this.#answer = { head, received: 0, trailers: undefined };
    // The trailers of gRPC need room behind a body of known length, too.
    this.#receiver?.answerHead({ ...head, bodyLength: grpc && head.bodyLength > 0 ? UNKNOWN_LENGTH : head.bodyLength });
    if (ended) return this.#end();
    stream.on(
      'data',
      guarded(this, (chunk: Buffer) => void (stream === this.#stream && this.#data(chunk))),
    );
    stream.on(
      'end',
      guarded(this, () => void (stream === this.#stream && this.#end())),
    );
    // The head leaves with the first bytes of the body, where some have come along.
    if (stream.readableLength === 0 && !this.#complete) this.#receiver?.settle();
  }

  #data(chunk: Buffer): void {
    if (this.#answer !== undefined) this.#answer.received += chunk.length;
    this.#receiver?.answerBody(chunk, undefined);
    this.#receiver?.settle();
  }

  #end(): void {
    const answer = this.#answer as Answer;
    const failed = this.#complete ? endRejection(this.#asked, answer) : REJECTIONS.upstream_closed;
    if (failed !== undefined) return this.#fail(failed);
    const receiver = this.#receiver;
    const stream = this.#release();
    receiver?.answerEnd(answer.trailers);
    // An answer before the end of the request: the app wants no more of it.
    if (this.#requestDone) stream?.resume();
    else if (stream !== undefined) cancel(stream);
  }

  #switch(stream: ClientHttp2Stream, { headers }: RawAnswer): void {
    const exchange = this.#asked;
    const receiver = this.#receiver;
    const session = this.#session;
    // HTTP/2 has no such proof: that the app speaks it is one.
    const key = fieldValue(exchange.headers, 'sec-websocket-key') ?? '';
    headers.push('Upgrade', exchange.upgrade ?? '', 'Sec-WebSocket-Accept', acceptOf(key));
    this.#stream = undefined;
    this.#receiver = undefined;
    stream.on('close', () => session.release());
    // Before the tunnel hears of an end: a reset is none.
    stream.on('aborted', () => exchange.cut());
    receiver?.switched('Switching Protocols', headers, { stream, leave: () => cancelAfterWrites(stream) });
  }

  // ---- ends

  get #asked(): Exchange {
    return this.#exchange as Exchange;
  }

  #fail(rejection: Rejection): void {
    const receiver = this.#receiver;
    const stream = this.#release();
    if (stream === undefined) return;
    const loss = this.#loss(stream, rejection);
    cancel(stream);
    receiver?.failed(rejection, loss);
  }

  /** Whether the app said that it has not looked at the request, or closed a session that it had kept idle. */
  #loss(stream: ClientHttp2Stream, { reason }: Rejection): Loss | undefined {
    if (isRefused(stream)) return 'unseen';
    const { reused, lost } = this.#session;
    return reused && lost && reason === 'upstream_closed' ? 'stale' : undefined;
  }

  crashed(error: unknown): void {
    const receiver = this.#receiver;
    this.abandon();
    receiver?.crashed(error);
  }

  #release(): ClientHttp2Stream | undefined {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#receiver = undefined;
    if (stream !== undefined) this.#session.release();
    return stream;
  }
}

/** What is wrong with an answer that the app has marked as complete. */
function endRejection(exchange: Exchange, { head, received, trailers }: Answer): Rejection | undefined {
  const malformed = trailersRejection(trailers);
  if (malformed !== undefined) return malformed;
  if (head.bodyLength !== UNKNOWN_LENGTH && received !== head.bodyLength) return REJECTIONS.upstream_closed;
  const owed = trailers === undefined && head.bodyLength !== 0 && owesTrailers(exchange, head);
  return owed ? REJECTIONS.upstream_closed : undefined;
}

function ignoreError(): void {
  // A close always follows.
}
