// One HTTP/2 connection to the app, in clear text and by prior knowledge. It knows how many streams it may carry and
// whether it still takes new ones; a stream is only opened after the app's SETTINGS have said what it allows.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
  type Settings,
} from 'node:http2';
import type { Socket } from 'node:net';
import { errorCode, REJECTIONS, type Rejection } from '../../errors.ts';
import type { Timed } from '../../net/deadlines.ts';
import { guarded } from '../../net/guard.ts';
import { socketRejection } from '../answer.ts';
import type { Member } from '../pool.ts';
import type { Transport } from '../transport.ts';
import type { ForwarderOptions } from '../upstream.ts';
import { AppStream } from './stream.ts';

/** Streams of one session, where the app sets no lower limit. */
const MAX_STREAMS = 1024;
/** Bytes that the app may send on one stream, and on all, before clients take them. */
const STREAM_WINDOW = 256 << 10;
const SESSION_WINDOW = 4 << 20;

/** Who is told what becomes of a session: the pool. */
export interface Owner {
  /** It has room for a stream, at first or again. */
  offer(session: AppSession): void;
  /** It takes no new stream. */
  retire(session: AppSession): void;
  /** It is closed; `rejection` says why it never opened. */
  left(session: AppSession, rejection: Rejection | undefined): void;
}

export type SessionOptions = Pick<ForwarderOptions, 'limits' | 'clock' | 'deadlines' | 'crashed'>;

export class AppSession implements Member<Transport>, Timed {
  /** Of the connect, then of the idle session; Infinity while it carries streams. */
  deadlineMs: number;
  /** Whether an exchange was completed on it before: then the app may have closed it unnoticed. */
  reused = false;
  /** Whether the app takes extended CONNECT (RFC 8441). */
  takesConnect = false;
  readonly options: SessionOptions;
  readonly #owner: Owner;
  readonly #session: ClientHttp2Session;
  #active = 0;
  #maxStreams = 0;
  #connected = false;
  #expired = false;
  #error: unknown = undefined;

  constructor(owner: Owner, socket: Socket, options: SessionOptions) {
    const { limits, clock, deadlines } = options;
    this.#owner = owner;
    this.options = options;
    this.deadlineMs = clock() + limits.connectTimeoutMs;
    this.#session = connect('http://app', sessionOptions(socket, limits));
    this.#listen(this.#session);
    deadlines.add(this);
  }

  // ---- Member

  get room(): number {
    if (this.#session.closed || this.#session.destroyed) return 0;
    return Math.max(0, this.#maxStreams - this.#active);
  }

  suits(): boolean {
    return true;
  }

  transport(): Transport {
    return new AppStream(this);
  }

  /** Takes no new stream; what is in flight finishes. */
  close(): void {
    this.#owner.retire(this);
    this.#session.close();
  }

  // ---- for its streams

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
      const { idleTimeoutMs } = this.options.limits;
      if (idleTimeoutMs <= 0) return this.close();
      this.deadlineMs = this.options.clock() + idleTimeoutMs;
    }
    if (this.room > 0) this.#owner.offer(this);
  }

  // ---- Timed

  expire(): void {
    if (this.#open) return this.close();
    this.#expired = true;
    this.#session.destroy();
  }

  /** Its streams end with it, and say so. */
  crashed(error: unknown): void {
    this.options.crashed(error);
    this.#session.destroy();
  }

  // ----

  /** Whether the app has said that it speaks HTTP/2. */
  get #open(): boolean {
    return this.#maxStreams > 0;
  }

  #listen(session: ClientHttp2Session): void {
    session.on('connect', () => {
      this.#connected = true;
      session.setLocalWindowSize(SESSION_WINDOW);
    });
    session.on(
      'remoteSettings',
      guarded(this, (settings: Settings) => this.#take(settings)),
    );
    session.on('error', (error: unknown) => {
      this.#error ??= error;
    });
    // Streams that the app has seen finish; new ones go to another session.
    session.on(
      'goaway',
      guarded(this, () => this.#owner.retire(this)),
    );
    session.on(
      'close',
      guarded(this, () => this.#closed()),
    );
  }

  #take({ maxConcurrentStreams = MAX_STREAMS, enableConnectProtocol = false }: Settings): void {
    const opened = !this.#open;
    this.#maxStreams = Math.max(1, Math.min(maxConcurrentStreams, MAX_STREAMS));
    this.takesConnect = enableConnectProtocol;
    if (!opened) return;
    this.deadlineMs = this.options.clock() + this.options.limits.idleTimeoutMs;
    this.#owner.offer(this);
  }

  #closed(): void {
    this.options.deadlines.delete(this);
    this.#owner.left(this, this.#open ? undefined : this.#rejection());
  }

  /** Why it failed, where it failed before it was open. */
  #rejection(): Rejection {
    if (this.#expired) return REJECTIONS.upstream_connect_timeout;
    const code = errorCode(this.#error);
    if (this.#connected && code.startsWith('ERR_HTTP2_')) return REJECTIONS.upstream_malformed;
    return socketRejection(this.#error, this.#connected);
  }
}

function sessionOptions(socket: Socket, { maxHeaderBytes, maxFields }: SessionOptions['limits']) {
  return {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: maxHeaderBytes * 2 },
    peerMaxConcurrentStreams: MAX_STREAMS,
    // Above our own caps: they have the clearer word for it.
    maxHeaderListPairs: maxFields * 2,
    maxSendHeaderBlockLength: 1 << 20,
    maxSessionMemory: 64,
  };
}
