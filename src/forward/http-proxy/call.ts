// One exchange through the http-proxy package: fills the empty request that the package makes, and gives the answer through the
// same rules as the other transports. Node writes and reads the bytes.

import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import type { Timed } from '../../net/deadlines.ts';
import { guarded, ignoreError } from '../../net/guard.ts';
import { isRejection, readAnswer, socketRejection } from '../answer.ts';
import type { Borrower } from '../borrower.ts';
import type { Loss, Receiver, Transport } from '../transport.ts';
import type { ForwarderOptions } from '../upstream.ts';
import { pairs, setFields } from './node-fields.ts';
import type { Place } from './place.ts';

/** What the package sees of the request: nothing that a client wrote. */
export class ProxyRequest extends EventEmitter {
  readonly method = 'GET';
  readonly url = '/';
  readonly headers = {};
  readonly socket = { destroyed: false };
  readonly call: ProxyCall;

  constructor(call: ProxyCall) {
    super();
    this.call = call;
  }
}

export type CallOptions = Pick<ForwarderOptions, 'limits' | 'clock' | 'deadlines' | 'crashed'> & {
  readonly start: (request: ProxyRequest, body: Readable) => void;
};

export class ProxyCall implements Transport, Timed {
  /** Of the wait for a socket, then of the connect; Infinity before and after that. */
  deadlineMs = Number.POSITIVE_INFINITY;
  connected = false;
  readonly keepsTime = false;
  readonly borrower: Borrower<Transport>;
  #place: Place | undefined = undefined;
  readonly #options: CallOptions;
  #over = false;
  #exchange: Exchange | undefined = undefined;
  #receiver: Receiver | undefined = undefined;
  #outgoing: ClientRequest | undefined = undefined;
  #incoming: IncomingMessage | undefined = undefined;
  /** Its read() is asked for more only after a push() that was too much. */
  readonly #body: Readable;
  #bodyFull = false;
  #bytesBefore = 0;

  constructor(borrower: Borrower<Transport>, options: CallOptions) {
    this.borrower = borrower;
    this.#options = options;
    this.#body = new Readable({ read: guarded(this, () => this.#wanted()) });
  }

  start(place: Place): void {
    this.#place = place;
    this.deadlineMs = this.#options.clock() + this.#options.limits.connectTimeoutMs;
    this.#options.deadlines.add(this);
    try {
      this.#options.start(new ProxyRequest(this), this.#body);
    } catch (error) {
      this.crashed(error);
    }
  }

  // ---- Transport

  send(exchange: Exchange, receiver: Receiver): void {
    const outgoing = this.#outgoing as ClientRequest;
    this.#exchange = exchange;
    this.#receiver = receiver;
    outgoing.method = exchange.method;
    outgoing.path = exchange.target;
    // Else Node invents a length for a POST without one.
    outgoing.useChunkedEncodingByDefault = false;
    setFields(outgoing, [...exchange.headers, ...exchange.added]);
    if (exchange.bodyLength === UNKNOWN_LENGTH) outgoing.setHeader('Transfer-Encoding', 'chunked');
    if (exchange.bodyLength === 0) this.#body.push(null);
    // The app may answer, or say 100, before the first byte of a body.
    else outgoing.flushHeaders();
  }

  sendBody(chunk: Buffer): boolean {
    this.#bodyFull = !this.#body.push(chunk);
    return !this.#bodyFull;
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    if (trailers !== undefined) this.#outgoing?.addTrailers(pairs(trailers));
    this.#body.push(null);
  }

  pauseAnswer(): void {
    this.#incoming?.pause();
  }

  resumeAnswer(): void {
    this.#incoming?.resume();
  }

  abandon(): void {
    this.#release();
    this.#outgoing?.destroy();
  }

  // ---- Timed

  expire(): void {
    this.#fail(REJECTIONS[this.#outgoing === undefined ? 'upstream_busy' : 'upstream_connect_timeout']);
  }

  crashed(error: unknown): void {
    const receiver = this.#receiver;
    this.abandon();
    if (receiver === undefined) this.#options.crashed(error);
    else receiver.crashed(error);
  }

  // ---- what the package calls

  /** It has a socket and has written nothing yet. */
  readonly prepare = guarded(this, (outgoing: ClientRequest) => this.#prepare(outgoing));
  readonly answer = guarded(this, (incoming: IncomingMessage) => this.#answer(incoming));
  /** An error of the request or its socket. */
  readonly broken = guarded(this, (error: unknown) => this.#broken(error));

  #prepare(outgoing: ClientRequest): void {
    this.#outgoing = outgoing;
    if (this.#over) return void outgoing.destroy();
    const { socket } = outgoing;
    this.#bytesBefore = socket?.bytesRead ?? 0;
    const interim = ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }): void =>
      this.#receiver?.interim(statusCode, rawHeaders);
    outgoing.on('information', guarded(this, interim));
    const refused = (_answer: unknown, other: { destroy(): void }): void => {
      other.destroy();
      this.#fail(REJECTIONS.upstream_bad_upgrade);
    };
    outgoing.on('upgrade', guarded(this, refused));
    if (socket?.connecting === true) {
      this.deadlineMs = this.#options.clock() + this.#options.limits.connectTimeoutMs;
      socket.once(
        'connect',
        guarded(this, () => this.#open()),
      );
    } else {
      this.#open();
    }
    if (!this.borrower.lend(this)) this.abandon();
  }

  #open(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.connected = true;
    this.#receiver?.connected();
  }

  #wanted(): void {
    if (!this.#bodyFull) return;
    this.#bodyFull = false;
    this.#receiver?.appDrained();
  }

  // ---- the answer

  #answer(incoming: IncomingMessage): void {
    incoming.on('error', ignoreError);
    const { rawHeaders, httpVersion, statusCode = 0, statusMessage = '' } = incoming;
    const method = this.#exchange?.method ?? '';
    if (this.#receiver === undefined) return void incoming.destroy();
    if (rawHeaders.length > this.#options.limits.maxFields * 2) return this.#fail(REJECTIONS.upstream_header_too_large);
    const head = readAnswer(method, httpVersion, statusCode, statusMessage, rawHeaders);
    if (isRejection(head)) return this.#fail(head);
    this.#incoming = incoming;
    this.#receiver.answerHead(head);
    this.#receiver?.settle();
    const data = (chunk: Buffer): void => {
      this.#receiver?.answerBody(chunk, undefined);
      this.#receiver?.settle();
    };
    incoming.on('data', guarded(this, data));
    incoming.on(
      'end',
      guarded(this, () => this.#answerEnd(incoming)),
    );
    incoming.on(
      'close',
      guarded(this, () => this.#fail(REJECTIONS.upstream_closed)),
    );
  }

  #answerEnd(incoming: IncomingMessage): void {
    const receiver = this.#receiver;
    if (receiver === undefined || !incoming.complete) return;
    this.#release();
    receiver.answerEnd(incoming.rawTrailers.length > 0 ? incoming.rawTrailers : undefined);
    // An answer before the end of the request: the rest must not be taken for the next one.
    if (this.#outgoing?.writableFinished === false) this.#outgoing.destroy();
  }

  // ---- ends

  #broken(error: unknown): void {
    const code = errorCode(error);
    if (code === 'HPE_HEADER_OVERFLOW') return this.#fail(REJECTIONS.upstream_header_too_large);
    if (code.startsWith('HPE_')) return this.#fail(REJECTIONS.upstream_malformed);
    this.#fail(socketRejection(error, this.connected), code === 'ECONNRESET' && this.#isStale ? 'stale' : undefined);
  }

  /** Node's own reusedSocket is not set where a waiting request gets a socket the moment it is free. */
  get #isStale(): boolean {
    return this.#bytesBefore > 0 && this.#outgoing?.socket?.bytesRead === this.#bytesBefore;
  }

  #fail(rejection: Rejection, loss?: Loss): void {
    if (this.#over) return;
    const receiver = this.#receiver;
    this.abandon();
    if (receiver === undefined) this.borrower.denied(rejection);
    else receiver.failed(rejection, loss);
  }

  #release(): void {
    this.#over = true;
    this.#receiver = undefined;
    this.#options.deadlines.delete(this);
    const place = this.#place;
    this.#place = undefined;
    place?.free();
  }
}
