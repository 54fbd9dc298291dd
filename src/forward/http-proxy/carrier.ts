// One exchange on its way through the http-proxy package: fills the empty request that the package makes, and gives the
// answer through the same rules as the wire forwarder. It ends in answering, in failing, or with the client gone.

import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import { type Carrier, type Clock, type Exchange, type Failures, UNKNOWN_LENGTH } from '../../exchange.ts';
import { fieldValue, passableTrailers, type RawHeaders } from '../../http/fields.ts';
import { isRejection, mayRepeat, readAnswer, socketRejection } from '../answer.ts';
import { type ForwardLimits, MAX_INTERIM } from '../forward.ts';

/** What the package sees of the request: the method, and nothing that a client wrote. */
export class ProxyRequest extends EventEmitter {
  readonly method: string;
  readonly url = '/';
  readonly headers = {};
  readonly socket = { destroyed: false };
  readonly carrier: ProxyCarrier;

  constructor(method: string, carrier: ProxyCarrier) {
    super();
    this.method = method;
    this.carrier = carrier;
  }
}

export type ProxyContext = {
  readonly limits: ForwardLimits;
  readonly clock: Clock;
  /** `fresh`: on a connection that was never used. */
  readonly send: (request: ProxyRequest, body: Readable, fresh: boolean) => void;
};

export class ProxyCarrier implements Carrier {
  readonly #exchange: Exchange;
  readonly #failures: Failures;
  readonly #context: ProxyContext;
  #outgoing: ClientRequest | undefined = undefined;
  #incoming: IncomingMessage | undefined = undefined;
  #body: Readable = new Readable();
  #timer: NodeJS.Timeout | undefined = undefined;
  #owed: Rejection = REJECTIONS.upstream_busy;
  #interims = 0;
  #retried = false;
  /** Whether the whole request body has come. */
  #sent = false;
  #bytesBefore = 0;
  #over = false;

  constructor(exchange: Exchange, failures: Failures, context: ProxyContext) {
    this.#exchange = exchange;
    this.#failures = failures;
    this.#context = context;
  }

  start(): void {
    this.#body = new Readable({ read: () => this.#exchange.resumeBody() });
    this.#outgoing = undefined;
    this.#expect(REJECTIONS.upstream_busy, this.#context.limits.connectTimeoutMs);
    this.#context.send(new ProxyRequest(this.#exchange.method, this), this.#body, this.#retried);
  }

  // ---- the request

  /** The package has a socket and has written nothing yet. */
  prepare(outgoing: ClientRequest): void {
    if (this.#over) return void outgoing.destroy();
    this.#outgoing = outgoing;
    this.#bytesBefore = outgoing.socket?.bytesRead ?? 0;
    const exchange = this.#exchange;
    outgoing.path = exchange.target;
    // Else Node invents a length for a POST without one.
    outgoing.useChunkedEncodingByDefault = false;
    setFields(outgoing, exchange.headers);
    if (exchange.bodyLength === UNKNOWN_LENGTH) outgoing.setHeader('Transfer-Encoding', 'chunked');
    outgoing.on('information', ({ statusCode, rawHeaders }) => this.#interim(statusCode, rawHeaders));
    outgoing.on('upgrade', (_answer, socket) => {
      socket.destroy();
      this.#fail(REJECTIONS.upstream_bad_upgrade);
    });
    this.#awaitConnection(outgoing);
    if (exchange.bodyLength === 0) this.#body.push(null);
    // The app may answer, or say 100, before the first byte of a body.
    else outgoing.flushHeaders();
    exchange.carry(this);
  }

  #awaitConnection(outgoing: ClientRequest): void {
    const { socket } = outgoing;
    const owe = (): void => (this.#exchange.bodyLength === 0 || this.#sent ? this.#oweAnswer() : this.#rest());
    if (socket?.connecting !== true) return owe();
    this.#expect(REJECTIONS.upstream_connect_timeout, this.#context.limits.connectTimeoutMs);
    socket.once('connect', owe);
  }

  body(chunk: Buffer): void {
    this.#rest();
    if (this.#body.push(chunk)) return;
    this.#oweAnswer();
    this.#exchange.pauseBody();
  }

  bodyEnd(trailers: RawHeaders | undefined): void {
    const passed = passableTrailers(trailers);
    if (passed !== undefined) this.#outgoing?.addTrailers(pairs(passed));
    this.#body.push(null);
    this.#sent = true;
    this.#oweAnswer();
  }

  drained(): void {
    this.#oweAnswer();
    this.#incoming?.resume();
  }

  gone(): void {
    this.#end();
    this.#outgoing?.destroy();
  }

  // ---- the answer

  answer(incoming: IncomingMessage): void {
    const exchange = this.#exchange;
    incoming.on('error', ignoreError);
    if (this.#over) return void incoming.destroy();
    const { rawHeaders, httpVersion, statusCode = 0, statusMessage = '' } = incoming;
    if (rawHeaders.length > this.#context.limits.maxFields * 2) return this.#fail(REJECTIONS.upstream_header_too_large);
    const head = readAnswer(exchange.method, httpVersion, statusCode, statusMessage, rawHeaders);
    if (isRejection(head)) return this.#fail(head);
    this.#incoming = incoming;
    exchange.upstreamMs = this.#context.clock() - exchange.startedMs;
    exchange.answer(head.status, head.reason, head.headers, head.bodyLength);
    exchange.flush();
    if (head.stream) this.#rest();
    else this.#oweAnswer();
    incoming.on('data', (chunk: Buffer) => this.#answerBody(incoming, chunk, head.stream));
    incoming.on('end', () => this.#answerEnd(incoming));
    incoming.on('close', () => this.#fail(REJECTIONS.upstream_closed));
  }

  #answerBody(incoming: IncomingMessage, chunk: Buffer, stream: boolean): void {
    this.#exchange.write(chunk);
    if (!stream) this.#oweAnswer();
    if (this.#exchange.flush()) return;
    incoming.pause();
    this.#rest();
  }

  #answerEnd(incoming: IncomingMessage): void {
    if (this.#over || !incoming.complete) return;
    this.#end();
    this.#exchange.end(passableTrailers(incoming.rawTrailers));
    // An answer before the end of the request: the rest must not be taken for the next one.
    if (this.#outgoing?.writableFinished === false) this.#outgoing.destroy();
  }

  #interim(status: number, headers: RawHeaders): void {
    if (this.#over) return;
    if (++this.#interims > MAX_INTERIM) return this.#fail(REJECTIONS.upstream_malformed);
    if (status !== 100 || fieldValue(this.#exchange.headers, 'expect') !== undefined)
      this.#exchange.inform(status, headers);
  }

  // ---- ends

  /** An error of the request or its socket. */
  broken(error: unknown): void {
    if (this.#over) return;
    const code = errorCode(error);
    if (code === 'HPE_HEADER_OVERFLOW') return this.#fail(REJECTIONS.upstream_header_too_large);
    if (code.startsWith('HPE_')) return this.#fail(REJECTIONS.upstream_malformed);
    if (this.#mayRetry(code)) {
      this.#retried = true;
      return this.start();
    }
    this.#fail(socketRejection(error, this.#owed === REJECTIONS.upstream_timeout));
  }

  #mayRetry(code: string): boolean {
    if (this.#retried || code !== 'ECONNRESET' || this.#incoming !== undefined) return false;
    // Node's own reusedSocket is not set where a waiting request gets a socket the moment it is free.
    const used = this.#bytesBefore > 0;
    if (!used || this.#interims > 0 || this.#outgoing?.socket?.bytesRead !== this.#bytesBefore) return false;
    return mayRepeat(this.#exchange);
  }

  #fail(rejection: Rejection): void {
    if (this.#over) return;
    this.#end();
    this.#outgoing?.destroy();
    this.#failures.fail(this.#exchange, rejection);
  }

  #end(): void {
    this.#over = true;
    this.#rest();
  }

  // ---- time

  #oweAnswer(): void {
    this.#expect(REJECTIONS.upstream_timeout, this.#context.limits.upstreamTimeoutMs);
  }

  #expect(owed: Rejection, afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#owed = owed;
    this.#timer = setTimeout(() => this.#fail(owed), afterMs);
  }

  #rest(): void {
    clearTimeout(this.#timer);
  }
}

/** Same-named fields, in any case, go as one list: Node keeps only the last of those that are set apart. */
function setFields(outgoing: ClientRequest, headers: RawHeaders): void {
  const grouped = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of pairs(headers)) {
    const known = grouped.get(name.toLowerCase());
    if (known === undefined) grouped.set(name.toLowerCase(), { name, values: [value] });
    else known.values.push(value);
  }
  for (const { name, values } of grouped.values()) {
    outgoing.setHeader(name, values.length === 1 ? (values[0] as string) : values);
  }
}

function pairs(headers: RawHeaders): [name: string, value: string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) list.push([headers[i] as string, headers[i + 1] as string]);
  return list;
}

function ignoreError(): void {
  // A close always follows.
}
