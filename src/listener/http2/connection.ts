// One HTTP/2 connection: streams in, exchanges out. Sets the limits that Node leaves open, keeps the deadlines, drains
// with GOAWAY. What the pseudo fields say becomes the exchange's method, target and authority; every judgement on them
// is the pipeline's.

import type { EventEmitter } from 'node:events';
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { ClientIdentity } from '../../clients/certificate.ts';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import { type ClientConnection, crashExchange, type TlsFacts } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { guarded } from '../../net/guard.ts';
import { Bucket, type Budget } from '../../net/token-bucket.ts';
import type { OpenConnection } from '../connections.ts';
import type { ClientFacts, Http1Options } from '../http1/connection.ts';
import { Http2Exchange } from './exchange.ts';
import { areTrailers, NO_REQUEST, readRequest } from './request.ts';

export const MAX_STREAMS = 128;
/** Bytes that a client may send on one stream, and on all, before the app takes them. */
const STREAM_WINDOW = 1 << 20;
const SESSION_WINDOW = 4 << 20;
/** Requests that the client resets before their answer (CVE-2023-44487), and pings. */
const MAX_RESETS: Budget = { burst: 500, perSecond: 100 };
const MAX_PINGS: Budget = { burst: 1000, perSecond: 100 };

/** Why a session was ended that its client would have gone on with. */
export type SessionFault = 'protocol_error' | 'flood';

export type Http2Options = Http1Options & {
  /** Called at most once for each session. */
  readonly sessionFailed: (fault: SessionFault, code: string, remoteAddress: string) => void;
};

/** Limits of a session; the names and the defaults that they replace are Node's. */
export function http2Options(maxHeaderBytes: number, maxFields: number): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: MAX_STREAMS,
      initialWindowSize: STREAM_WINDOW,
      // Here every field counts 32 bytes more (RFC 9113 section 6.5.2). Node resets above it, so our 431 comes first.
      maxHeaderListSize: maxHeaderBytes + 32 * maxFields,
      enablePush: false,
      // WebSockets (RFC 8441); browsers use a connection of HTTP/1.1 for them otherwise.
      enableConnectProtocol: true,
    },
    // Above our own cap, cookie crumbs and pseudo fields included: our 431 is clearer than Node's reset.
    maxHeaderListPairs: maxFields * 4,
    maxSessionMemory: 32,
    maxSendHeaderBlockLength: 1 << 20,
    maxOutstandingPings: 10,
    maxSettings: 32,
    ...{ maxSessionInvalidFrames: 100, maxSessionRejectedStreams: 100, streamResetBurst: 1000, streamResetRate: 100 },
  } as ServerOptions;
}

export class Http2Connection implements ClientConnection, OpenConnection {
  readonly protocol = 'h2';
  readonly scheme = 'https';
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly client: ClientIdentity | undefined;
  readonly #socket: TLSSocket;
  readonly #options: Http2Options;
  readonly #session: ServerHttp2Session;
  readonly #exchanges = new Set<Http2Exchange>();
  readonly #resets: Bucket;
  readonly #pings: Bucket;
  #idleDeadlineMs: number;
  #probeMs = 0;
  /** A ping was sent, and nothing has come from the client since. */
  #unheard = false;
  #failed = false;

  constructor(socket: TLSSocket, facts: ClientFacts, options: Http2Options, settings: ServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.remoteAddress = facts.remoteAddress;
    this.peerAddress = facts.peerAddress;
    this.tls = facts.tls;
    this.client = facts.client;
    // Node tells nothing of a request before its head is complete: a session has that long to get to its first one.
    this.#idleDeadlineMs = options.clock() + Math.min(options.limits.headerTimeoutMs, options.limits.idleTimeoutMs);
    this.#resets = new Bucket(MAX_RESETS, options.clock);
    this.#pings = new Bucket(MAX_PINGS, options.clock);
    options.connections.add(this);
    socket.on('error', ignoreError);
    socket.on('close', () => options.connections.delete(this));
    this.#session = performServerHandshake(socket, settings);
    this.#listen(this.#session);
  }

  #listen(session: ServerHttp2Session): void {
    const on = <A extends unknown[]>(event: string, run: (...args: A) => void): void => {
      (session as EventEmitter).on(event, guarded(this, run));
    };
    on('error', (error: Error) => {
      const fault = faultOf(error);
      if (fault !== undefined) this.#tell(fault, error.message);
      this.#socket.destroy();
    });
    on('ping', () => void (this.#pings.take() || this.#flooded('pings')));
    on('frameError', () => this.#socket.destroy());
    // A client that says GOAWAY, or that was told it, must not hold the socket (CVE-2026-48937).
    on('close', () => this.#socket.destroySoon());
    on('connect', () => session.setLocalWindowSize(SESSION_WINDOW));
    // The raw list is the fourth argument since Node 9; its types know three.
    on('stream', (stream: ServerHttp2Stream, _headers: unknown, flags: number, raw: RawHeaders) =>
      this.#begin(stream, flags, raw),
    );
  }

  // ---- OpenConnection

  get deadlineMs(): number {
    if (this.#exchanges.size === 0) return this.#idleDeadlineMs;
    let least = this.#probeMs;
    for (const { deadlineMs } of this.#exchanges) if (deadlineMs < least) least = deadlineMs;
    return least;
  }

  expire(): void {
    const nowMs = this.#options.clock();
    if (this.#exchanges.size === 0) return this.drain();
    for (const exchange of [...this.#exchanges]) if (exchange.deadlineMs <= nowMs) exchange.expire();
    if (this.#probeMs <= nowMs) this.#probe(nowMs);
  }

  /** GOAWAY; what is in flight finishes, and then the connection closes. */
  drain(): void {
    this.#idleDeadlineMs = this.#options.clock() + this.#options.limits.lingerMs;
    if (!this.#session.closed) this.#session.close();
    else if (this.#exchanges.size === 0) this.destroy();
  }

  retire(): void {
    this.drain();
  }

  revoke(): void {
    if (this.client === undefined || this.client.kind === 'none') return;
    for (const exchange of [...this.#exchanges]) exchange.revoke();
    this.retire();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  crashed(error: unknown): void {
    this.#options.handler.crashed(undefined, error);
    this.destroy();
  }

  // ---- for its exchanges

  /** A callback of its stream has thrown: the exchange is failed, and the connection ends after the others. */
  exchangeCrashed(exchange: Http2Exchange, error: unknown): void {
    crashExchange(exchange, error, this.#options.handler);
    this.retire();
  }

  clientDeadline(): number {
    return this.#options.clock() + this.#options.limits.clientTimeoutMs;
  }

  /** The client has sent or taken something. */
  heard(): void {
    this.#unheard = false;
  }

  acceptsTrailers(trailers: RawHeaders): boolean {
    return areTrailers(trailers, this.#options.limits);
  }

  fail(exchange: Http2Exchange, rejection: Rejection): void {
    this.#options.handler.fail(exchange, rejection);
  }

  finished(exchange: Http2Exchange): void {
    const { clock, limits, handler } = this.#options;
    this.#exchanges.delete(exchange);
    this.#idleDeadlineMs = clock() + (this.#session.closed ? limits.lingerMs : limits.idleTimeoutMs);
    handler.finished(exchange);
    if (!exchange.answered && exchange.rejection?.reason === 'client_gone' && !this.#resets.take()) {
      this.#flooded('resets');
    }
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: RawHeaders): void {
    const { clock, handler, limits } = this.#options;
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const request = readRequest(raw, ended, limits);
    const unreadable = typeof request === 'string';
    const nowMs = clock();
    const exchange = new Http2Exchange(this, stream, nowMs, unreadable ? NO_REQUEST : request);
    if (this.#exchanges.size === 0) this.#nextProbe(nowMs);
    this.#exchanges.add(exchange);
    if (unreadable) handler.refuse(exchange, REJECTIONS[request]);
    else handler.handle(exchange);
  }

  /**
   * While both sides wait for the app, nothing shows that the client has gone; and Node 20 reads no more of a session
   * that nghttp2 has given up, not even its end (CVE-2026-48937). An answered ping shows that it is there.
   */
  #probe(nowMs: number): void {
    if (this.#unheard) return this.destroy();
    this.#nextProbe(nowMs);
    this.#unheard = true;
    this.#session.ping((error) => {
      if (error === null) this.heard();
    });
  }

  #nextProbe(nowMs: number): void {
    this.#unheard = false;
    this.#probeMs = nowMs + this.#options.limits.clientTimeoutMs / 2;
  }

  /** Later, not in this call: Node is still reading the frames that came together. */
  #flooded(code: string): void {
    if (this.#failed) return;
    this.#tell('flood', code);
    setImmediate(() => {
      this.#session.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM as unknown as Error);
      this.#socket.destroySoon();
    });
  }

  #tell(fault: SessionFault, code: string): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.sessionFailed(fault, code, this.remoteAddress);
  }
}

/** Undefined for what a network does, or what was reported already. */
function faultOf(error: Error): SessionFault | undefined {
  const code = errorCode(error);
  if (code.startsWith('ERR_HTTP2_TOO_MANY')) return 'flood';
  if (code !== 'ERR_HTTP2_ERROR') return undefined;
  return /flood|too many/i.test(error.message) ? 'flood' : 'protocol_error';
}

function ignoreError(): void {
  // A close always follows.
}
