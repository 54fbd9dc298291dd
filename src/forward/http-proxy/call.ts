// One exchange through the http-proxy package: fills the empty request that the package makes, and gives the answer through the
// same rules as the other transports. Node writes and reads the bytes.

import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import type { Timed } from '../../net/deadlines.ts';
import { guarded, ignoreError } from '../../net/guard.ts';
import { ownCopy } from '../../net/own-copy.ts';
import { isRejection, readAnswer, socketRejection } from '../answer.ts';
import type { Loss, Receiver, Transport } from '../transport.ts';
import type { ForwarderOptions } from '../upstream.ts';
import { appendFields, pairs } from './node-fields.ts';

/** Bytes: Node's own mark, 16 KiB, is passed by the head and one TLS record, before the request has its socket. */
const MOST_UNTAKEN = 32 * 1024;

/** Of bytes that nobody else has: they are good for as long as they are needed. */
const keep = (): void => {};

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

export type CallOptions = Pick<ForwarderOptions, 'limits' | 'clock' | 'deadlines'> & {
  /** Hands the request to the package, which makes its own and calls pipe() within the call. */
  readonly start: (request: ProxyRequest) => void;
};

/** What the exchange takes up. */
export interface Taken {
  take(): void;
  free(): void;
}

export class ProxyCall implements Transport, Timed {
  /** Of the wait for a socket, then of the connect; Infinity before and after that. */
  deadlineMs = Number.POSITIVE_INFINITY;
  connected = false;
  readonly keepsTime = false;
  readonly #place: Taken;
  readonly #options: CallOptions;
  #exchange: Exchange | undefined = undefined;
  /** Undefined: before send(), and once it is over. */
  #receiver: Receiver | undefined = undefined;
  #outgoing: ClientRequest | undefined = undefined;
  #incoming: IncomingMessage | undefined = undefined;
  #bytesBefore = 0;

  constructor(place: Taken, options: CallOptions) {
    this.#place = place;
    this.#options = options;
  }

  // ---- Transport

  send(exchange: Exchange, receiver: Receiver): void {
    this.#place.take();
    this.#exchange = exchange;
    this.#receiver = receiver;
    this.deadlineMs = this.#options.clock() + this.#options.limits.connectTimeoutMs;
    this.#options.deadlines.add(this);
    this.#options.start(new ProxyRequest(this));
  }

  sendBody(chunk: Buffer): boolean {
    const outgoing = this.#outgoing;
    return outgoing !== undefined && (outgoing.write(ownCopy(chunk)) || outgoing.writableLength < MOST_UNTAKEN);
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    if (trailers !== undefined) this.#outgoing?.addTrailers(pairs(trailers));
    this.#outgoing?.end();
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
    // Node says null here before there is one.
    const waits = (this.#outgoing?.socket ?? undefined) === undefined;
    this.#fail(REJECTIONS[waits ? 'upstream_busy' : 'upstream_connect_timeout']);
  }

  crashed(error: unknown): void {
    const receiver = this.#receiver;
    this.abandon();
    receiver?.crashed(error);
  }

  // ---- what the package calls

  readonly answer = guarded(this, (incoming: IncomingMessage) => this.#answer(incoming));
  /** An error of the request or its socket. */
  readonly broken = guarded(this, (error: unknown) => this.#broken(error));

  /** In place of the body that the package would pass on: its request, to which nothing was written yet. */
  pipe(outgoing: ClientRequest): void {
    const exchange = this.#exchange as Exchange;
    this.#outgoing = outgoing;
    outgoing.method = exchange.method;
    outgoing.path = exchange.target;
    // Else Node invents a length for a POST without one.
    outgoing.useChunkedEncodingByDefault = false;
    // Node's own, of the connection.
    outgoing.removeHeader('Host');
    appendFields(outgoing, exchange.headers);
    appendFields(outgoing, exchange.added);
    this.#listen(outgoing);
    if (exchange.bodyLength === 0) return void outgoing.end();
    if (exchange.bodyLength === UNKNOWN_LENGTH) outgoing.setHeader('Transfer-Encoding', 'chunked');
    outgoing.on(
      'drain',
      guarded(this, () => this.#receiver?.appDrained()),
    );
    // The app may answer, or say 100, before the first byte of a body.
    outgoing.flushHeaders();
  }

  #listen(outgoing: ClientRequest): void {
    const interim = ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }): void =>
      this.#receiver?.interim(statusCode, rawHeaders);
    outgoing.on('information', guarded(this, interim));
    const refused = (_answer: unknown, other: { destroy(): void }): void => {
      other.destroy();
      this.#fail(REJECTIONS.upstream_bad_upgrade);
    };
    outgoing.on('upgrade', guarded(this, refused));
    outgoing.on(
      'socket',
      guarded(this, (socket: Socket) => this.#given(socket)),
    );
  }

  #given(socket: Socket): void {
    this.#bytesBefore = socket.bytesRead;
    if (!socket.connecting) return this.#open();
    this.deadlineMs = this.#options.clock() + this.#options.limits.connectTimeoutMs;
    socket.once(
      'connect',
      guarded(this, () => this.#open()),
    );
  }

  #open(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.connected = true;
    this.#receiver?.connected();
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
      this.#receiver?.answerBody(chunk, keep);
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
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.abandon();
    receiver.failed(rejection, loss);
  }

  #release(): void {
    if (this.#receiver === undefined) return;
    this.#receiver = undefined;
    this.#options.deadlines.delete(this);
    this.#place.free();
  }
}
