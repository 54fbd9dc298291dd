// One HTTP/2 connection to the app, in clear text and by prior knowledge. It knows how many streams it may carry and
// whether it still takes new ones; a stream is only opened after the app's SETTINGS have said what it allows.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import { socketRejection } from '../answer.ts';
import type { SessionPool, Timed } from './pool.ts';

/** Streams of one session, where the app sets no lower limit. */
const MAX_STREAMS = 1024;
/** Bytes that the app may send on one stream, and on all, before clients take them. */
const STREAM_WINDOW = 256 << 10;
const SESSION_WINDOW = 4 << 20;

export class AppSession implements Timed {
  /** Of the connect, then of the idle session; Infinity while it carries streams. */
  deadlineMs: number;
  /** Whether an exchange was completed on it before: then the app may have closed it unnoticed. */
  reused = false;
  /** Whether the app takes extended CONNECT (RFC 8441). */
  takesConnect = false;
  readonly #pool: SessionPool;
  readonly #session: ClientHttp2Session;
  #active = 0;
  #maxStreams = 0;
  #connected = false;
  #expired = false;
  #error: unknown = undefined;

  constructor(pool: SessionPool, socket: Socket) {
    this.#pool = pool;
    this.deadlineMs = pool.clock() + pool.limits.connectTimeoutMs;
    const options = {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW,
        maxHeaderListSize: pool.limits.maxHeaderBytes * 2,
      },
      peerMaxConcurrentStreams: MAX_STREAMS,
      // Above our own caps: they have the clearer word for it.
      maxHeaderListPairs: pool.limits.maxFields * 2,
      maxSendHeaderBlockLength: 1 << 20,
      maxSessionMemory: 64,
    };
    const session = connect('http://app', options);
    this.#session = session;
    session.on('connect', () => {
      this.#connected = true;
      session.setLocalWindowSize(SESSION_WINDOW);
    });
    session.on('remoteSettings', ({ maxConcurrentStreams = MAX_STREAMS, enableConnectProtocol = false }) => {
      const opened = this.#maxStreams === 0;
      this.#maxStreams = Math.max(1, Math.min(maxConcurrentStreams, MAX_STREAMS));
      this.takesConnect = enableConnectProtocol;
      if (opened) pool.opened(this);
    });
    session.on('error', (error: unknown) => {
      this.#error ??= error;
    });
    // Streams that the app has seen finish; new ones go to another session.
    session.on('goaway', () => pool.retire(this));
    session.on('close', () => pool.closed(this, this.#rejection()));
  }

  /** Whether the app has said that it speaks HTTP/2. */
  get open(): boolean {
    return this.#maxStreams > 0;
  }

  get hasRoom(): boolean {
    return this.#active < this.#maxStreams && !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether the connection itself has ended. */
  get lost(): boolean {
    return this.#session.destroyed;
  }

  /** Opens a stream; throws what Node thinks of the fields. release() ends what this begins. */
  request(fields: OutgoingHttpHeaders, options: { endStream: boolean; waitForTrailers: boolean }): ClientHttp2Stream {
    const stream = this.#session.request(fields, options);
    this.#active++;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    return stream;
  }

  release(): void {
    this.reused = true;
    if (--this.#active === 0) {
      const { idleTimeoutMs } = this.#pool.limits;
      if (idleTimeoutMs <= 0) this.close();
      else this.deadlineMs = this.#pool.clock() + idleTimeoutMs;
    }
    this.#pool.freed();
  }

  expire(): void {
    if (this.open) return this.close();
    this.#expired = true;
    this.#session.destroy();
  }

  /** Takes no new stream; what is in flight finishes. */
  close(): void {
    this.#pool.retire(this);
    this.#session.close();
  }

  /** Why it failed, where it failed before it was open. */
  #rejection(): Rejection {
    if (this.#expired) return REJECTIONS.upstream_connect_timeout;
    const code = errorCode(this.#error);
    if (this.#connected && code.startsWith('ERR_HTTP2_')) return REJECTIONS.upstream_malformed;
    return socketRejection(this.#error, this.#connected);
  }
}
