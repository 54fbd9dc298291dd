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
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { ClientConnection, TlsFacts } from '../exchange.ts';
import type { RawHeaders } from '../headers.ts';
import { isFieldValue, isToken } from '../message/head.ts';
import type { OpenConnection } from './connections.ts';
import type { ClientFacts, Http1Options } from './http1.ts';
import { Http2Exchange, type Http2Request } from './http2-exchange.ts';

export const MAX_STREAMS = 128;
/** Bytes that a client may send on one stream, and on all, before the app takes them. */
const STREAM_WINDOW = 1 << 20;
const SESSION_WINDOW = 4 << 20;

/** Limits of a session; the names and the defaults that they replace are Node's. */
export function http2Options(maxHeaderBytes: number, maxFields: number): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: MAX_STREAMS,
      initialWindowSize: STREAM_WINDOW,
      maxHeaderListSize: maxHeaderBytes,
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
    ...{ maxSessionInvalidFrames: 100, maxSessionRejectedStreams: 100, streamResetBurst: 200, streamResetRate: 50 },
  } as ServerOptions;
}

export class Http2Connection implements ClientConnection, OpenConnection {
  readonly protocol = 'h2';
  readonly scheme = 'https';
  readonly remoteAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly #socket: TLSSocket;
  readonly #options: Http1Options;
  readonly #session: ServerHttp2Session;
  readonly #exchanges = new Set<Http2Exchange>();
  #idleDeadlineMs: number;

  constructor(socket: TLSSocket, facts: ClientFacts, options: Http1Options, settings: ServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.remoteAddress = facts.remoteAddress;
    this.tls = facts.tls;
    this.#idleDeadlineMs = options.clock() + options.limits.idleTimeoutMs;
    options.connections.add(this);
    socket.on('error', ignoreError);
    socket.on('close', () => this.#closed());
    this.#session = performServerHandshake(socket, settings);
    this.#session.on('error', () => socket.destroy());
    this.#session.on('frameError', () => socket.destroy());
    // A client that says GOAWAY, or that was told it, must not hold the socket (CVE-2026-48937).
    this.#session.on('close', () => socket.destroySoon());
    this.#session.on('connect', () => this.#session.setLocalWindowSize(SESSION_WINDOW));
    // The raw list is the fourth argument since Node 9; its types know three.
    const begin = (stream: ServerHttp2Stream, _headers: unknown, flags: number, raw: RawHeaders): void =>
      this.#begin(stream, flags, raw);
    (this.#session as EventEmitter).on('stream', begin);
  }

  // ---- OpenConnection

  get deadlineMs(): number {
    if (this.#exchanges.size === 0) return this.#idleDeadlineMs;
    let least = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#exchanges) if (deadlineMs < least) least = deadlineMs;
    return least;
  }

  expire(): void {
    const nowMs = this.#options.clock();
    if (this.#exchanges.size === 0) return this.drain();
    for (const exchange of this.#exchanges) if (exchange.deadlineMs <= nowMs) exchange.expire();
  }

  /** GOAWAY; what is in flight finishes, and then the connection closes. */
  drain(): void {
    this.#idleDeadlineMs = this.#options.clock() + this.#options.limits.lingerMs;
    if (this.#session.closed) this.destroy();
    else this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  // ---- for its exchanges

  clientDeadline(): number {
    return this.#options.clock() + this.#options.limits.clientTimeoutMs;
  }

  fail(exchange: Http2Exchange, rejection: Rejection): void {
    this.#options.handler.fail(exchange, rejection);
  }

  finished(exchange: Http2Exchange): void {
    this.#exchanges.delete(exchange);
    this.#idleDeadlineMs = this.#options.clock() + this.#options.limits.idleTimeoutMs;
    this.#options.handler.finished(exchange);
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: RawHeaders): void {
    const { clock, handler, limits } = this.#options;
    const request = readRequest(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    const exchange = new Http2Exchange(this, stream, clock(), request ?? NO_REQUEST);
    this.#exchanges.add(exchange);
    if (request === undefined) return handler.refuse(exchange, REJECTIONS.malformed_request);
    if (request.headers.length > limits.maxFields * 2) return handler.refuse(exchange, REJECTIONS.too_many_fields);
    handler.handle(exchange);
  }

  #closed(): void {
    this.#options.connections.delete(this);
  }
}

const NO_REQUEST: Http2Request = {
  method: '',
  path: '',
  authority: undefined,
  protocol: undefined,
  headers: [],
  ended: false,
};

/** Undefined when the fields are no request (RFC 9113 section 8.3.1); cookie crumbs are joined (section 8.2.3). */
function readRequest(raw: RawHeaders, ended: boolean): Http2Request | undefined {
  const pseudo: Pseudo = { method: '', path: '', authority: undefined, protocol: undefined, scheme: '' };
  const headers: RawHeaders = [];
  let cookieAt = -1;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (!isFieldValue(value)) return undefined;
    if (name.charCodeAt(0) === 0x3a) {
      if (!setPseudo(pseudo, name, value)) return undefined;
    } else if (name === 'cookie' && cookieAt >= 0) {
      headers[cookieAt] += `; ${value}`;
    } else {
      if (!isToken(name)) return undefined;
      if (name === 'cookie') cookieAt = headers.length + 1;
      headers.push(name, value);
    }
  }
  const { method, path, authority, protocol, scheme } = pseudo;
  if (!isToken(method) || !isVisible(path) || scheme !== 'https') return undefined;
  return { method, path, authority, protocol, headers, ended };
}

type Pseudo = {
  method: string;
  path: string;
  authority: string | undefined;
  protocol: string | undefined;
  scheme: string;
};

function setPseudo(pseudo: Pseudo, name: string, value: string): boolean {
  switch (name) {
    case ':method':
      pseudo.method = value;
      return true;
    case ':path':
      pseudo.path = value;
      return true;
    case ':authority':
      pseudo.authority = value;
      return true;
    case ':protocol':
      pseudo.protocol = value;
      return true;
    case ':scheme':
      pseudo.scheme = value;
      return true;
    default:
      return false;
  }
}

/** Whether a target is visible ASCII only, as the request line of the app needs it. */
function isVisible(path: string): boolean {
  return /^[!-~]+$/.test(path);
}

function ignoreError(): void {
  // A close always follows.
}
