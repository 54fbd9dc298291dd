// One exchange as a stream of a session to the app. An answer is complete only when the app marked its end (END_STREAM); a
// reset or a lost session before it is a failure, and what comes behind it is none. A stream that stalls holds nothing but
// itself.

import { REJECTIONS, type Rejection } from '../../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { Code } from '../../http/h2/frames.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import type { StreamOwner } from '../../http/h2/stream-owner.ts';
import type { Field } from '../../http/hpack/field.ts';
import type { Account } from '../../net/budget.ts';
import { type AnswerHead, isRejection } from '../answer.ts';
import type { Loss, Receiver, Transport } from '../transport.ts';
import { AppTunnel } from './app-tunnel.ts';
import { LentStream } from './lent-stream.ts';
import {
  answerHead,
  endRejection,
  type RawAnswer,
  readFields,
  readHead,
  requestFields,
  resetRejection,
  webSocketProof,
} from './message.ts';

export class AppStream extends LentStream implements Transport, StreamOwner {
  /** A session is lent when it is open. */
  readonly connected = true;
  readonly keepsTime = false;
  #exchange: Exchange | undefined = undefined;
  #stream: H2Stream | undefined = undefined;
  #head: AnswerHead | undefined = undefined;
  #received = 0;
  #trailers: RawHeaders | undefined = undefined;
  #tunnel: AppTunnel | undefined = undefined;

  // ---- Transport

  send(exchange: Exchange, receiver: Receiver): void {
    const { bodyLength, upgrade } = exchange;
    if (upgrade !== undefined && !(this.session.takesConnect && upgrade.toLowerCase() === 'websocket'))
      return receiver.failed(REJECTIONS.upstream_bad_upgrade);
    this.#exchange = exchange;
    this.receiver = receiver;
    const fields = requestFields(exchange);
    const stream = this.session.begin(this);
    this.#stream = stream;
    stream.head(undefined, fields);
    stream.resume();
    if (bodyLength === 0 && upgrade === undefined) stream.finish(undefined);
  }

  sendBody(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (stream === undefined) return true;
    stream.write(chunk);
    return stream.flush();
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    this.#stream?.finish(trailers);
  }

  pauseAnswer(): void {
    this.#stream?.pause();
  }

  resumeAnswer(): void {
    this.#stream?.resume();
    this.settle();
  }

  abandon(): void {
    this.#release(Code.cancel);
  }

  // ---- StreamOwner

  get account(): Account {
    return this.#asked.connection.account;
  }

  fields(fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    try {
      if (this.receiver === undefined) return;
      if (this.#head !== undefined) this.#trail(fields, overflowed, ended);
      else this.#begin(fields, overflowed, ended);
    } catch (error) {
      this.crashed(error);
    }
  }

  received(bytes: number): void {
    if (this.receiver === undefined) return;
    const head = this.#head;
    this.#received += bytes;
    if (head === undefined || (head.bodyLength !== UNKNOWN_LENGTH && this.#received > head.bodyLength))
      this.#guard(() => this.#fail(REJECTIONS.upstream_malformed));
  }

  body(chunk: Buffer): void {
    if (this.#tunnel !== undefined) return this.#tunnel.stream.receive(chunk);
    this.receiver?.answerBody(chunk, undefined);
    this.settleLater();
  }

  bodyEnded(): void {
    if (this.#tunnel !== undefined) return void this.#tunnel.stream.push(null);
    const head = this.#head;
    if (head === undefined) return this.#fail(REJECTIONS.upstream_malformed);
    const trailers = this.#trailers;
    const failed = endRejection(this.#asked, head, this.#received, trailers);
    if (failed !== undefined) return this.#fail(failed);
    const receiver = this.receiver;
    // An answer before the end of the request: the app wants no more of it.
    this.#release(Code.cancel);
    receiver?.answerEnd(trailers);
  }

  progressed(): void {}

  exceeded(): void {
    this.#guard(() => this.#fail(REJECTIONS.client_over_share));
  }

  drained(): void {
    if (this.#tunnel !== undefined) this.#tunnel.stream.drained();
    else this.receiver?.appDrained();
  }

  sent(): void {
    this.#tunnel?.sent();
  }

  /** RFC 9113 section 8.1: the app may say that it wants no more of the request. A connection may end as it likes behind it. */
  keeps(code: Code): boolean {
    return this.#head !== undefined && (code === Code.none || this.session.lost);
  }

  lost(code: Code): void {
    this.#guard(() => {
      if (this.#tunnel !== undefined) this.#tunnel.lost();
      else this.#fail(this.#lossRejection(code), code);
    });
  }

  crashed(error: unknown): void {
    const receiver = this.receiver;
    this.abandon();
    if (this.#tunnel !== undefined) this.session.options.crashed(error);
    this.#tunnel?.stream.destroy();
    receiver?.crashed(error);
  }

  // ---- what the app sends

  #begin(fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    const answer = readHead(fields, overflowed, this.session.options.limits);
    if (isRejection(answer)) return this.#fail(answer);
    const { grpc, upgrade } = this.#asked;
    if (answer.status < 200 && ended) return this.#fail(REJECTIONS.upstream_malformed);
    if (answer.status < 200) return this.receiver?.interim(answer.status, answer.headers);
    if (upgrade !== undefined && !ended && answer.status < 300) return this.#switch(answer);
    const head = answerHead(this.#asked, answer, ended);
    if (isRejection(head)) return this.#fail(head);
    this.#head = head;
    // The trailers of gRPC need room behind a body of known length, too.
    const open = grpc && head.bodyLength > 0;
    this.receiver?.answerHead(open ? { ...head, bodyLength: UNKNOWN_LENGTH } : head);
    // It leaves with the first bytes of the body, where some have come along.
    if (!ended) this.settleLater();
  }

  #trail(fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    const trailers = readFields(fields, 0, overflowed, this.session.options.limits);
    if (isRejection(trailers)) return this.#fail(trailers);
    if (!ended) return this.#fail(REJECTIONS.upstream_malformed);
    this.#trailers = trailers;
  }

  #switch({ headers }: RawAnswer): void {
    const exchange = this.#asked;
    const receiver = this.receiver;
    const stream = this.#stream as H2Stream;
    const tunnel = new AppTunnel(stream, exchange, this, () => this.session.release(this));
    this.#tunnel = tunnel;
    this.#stream = undefined;
    this.receiver = undefined;
    receiver?.switched('Switching Protocols', [...headers, ...webSocketProof(exchange)], tunnel);
  }

  // ---- ends

  get #asked(): Exchange {
    return this.#exchange as Exchange;
  }

  #lossRejection(code: Code): Rejection {
    if (this.#head !== undefined) return REJECTIONS.upstream_closed;
    if (this.session.endlessId === this.#stream?.id) return REJECTIONS.upstream_header_too_large;
    return resetRejection(code);
  }

  /** `code`: the stream was lost with it, and needs no reset. */
  #fail(rejection: Rejection, code?: Code): void {
    const receiver = this.receiver;
    const { reused, lost } = this.session;
    this.#release(rejection.reason === 'upstream_malformed' ? Code.protocol : Code.cancel);
    let loss: Loss | undefined;
    // With a reset, or with GOAWAY (RFC 9113 section 8.7).
    if (code === Code.refusedStream) loss = 'unseen';
    else if (reused && lost && rejection.reason === 'upstream_closed') loss = 'stale';
    receiver?.failed(rejection, loss);
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.crashed(error);
    }
  }

  /** Resets the stream, unless both sides have ended it. */
  #release(code: Code): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.receiver = undefined;
    if (stream === undefined) return;
    if (!(stream.localEnded && stream.remoteEnded)) stream.reset(code);
    this.session.release(this);
  }
}
