// One connection to the app: writes a request, has its answer read, and knows whether it may be used again: only when
// both were complete, the app keeps it open, and nothing more arrived. After an abort, an upgrade or a wrong length it goes.

import { Socket } from 'node:net';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import type { RawHeaders } from '../../http/fields.ts';
import type { Timed } from '../../net/deadlines.ts';
import { guarded } from '../../net/guard.ts';
import type { Slab } from '../../net/slabs.ts';
import { type AnswerHead, socketRejection } from '../answer.ts';
import type { Borrower, Member } from '../borrower.ts';
import type { Pool } from '../pool.ts';
import type { Loss, Receiver, Transport } from '../transport.ts';
import { agreesTo } from '../tunnel.ts';
import type { ForwarderOptions } from '../upstream.ts';
import type { RawHead } from './answer-head.ts';
import { AnswerReader, type AnswerSink } from './answer-reader.ts';
import { type RequestHead, RequestWriter } from './request.ts';
import type { Reader } from './shared-reads.ts';

// So that the fields have one shape from the start.
const UNATTACHED = new Socket();
const NOTHING_TO_WRITE = new RequestWriter(UNATTACHED);

export class AppConnection implements Transport, Member<Transport>, Reader, AnswerSink, Timed {
  readonly keepsTime = true;
  connected = false;
  holder: Borrower<Transport> | undefined = undefined;
  /** When the connect, or the idle connection, is over. */
  #ownDeadlineMs: number;
  readonly #owner: Pool<Transport, AppConnection>;
  readonly #options: ForwarderOptions;
  readonly #reader: AnswerReader;
  #socket: Socket = UNATTACHED;
  #request: RequestWriter = NOTHING_TO_WRITE;
  #receiver: Receiver | undefined = undefined;
  #error: unknown = undefined;
  /** Whether an exchange was completed on it before: then the app may have closed it unnoticed. */
  #reused = false;
  #answering = false;
  #ended = false;
  #closing = false;
  #upgrade: string | undefined = undefined;
  #persistent = true;
  #idleMs: number;
  readonly #onDrain: () => void;
  readonly #onEnd: () => void;
  readonly #onClose: () => void;

  constructor(owner: Pool<Transport, AppConnection>, options: ForwarderOptions) {
    const { limits, clock, deadlines } = options;
    this.#owner = owner;
    this.#options = options;
    this.#reader = new AnswerReader(limits, this);
    this.#idleMs = limits.idleTimeoutMs;
    this.#ownDeadlineMs = clock() + limits.connectTimeoutMs;
    this.#onDrain = guarded(this, () => this.#receiver?.appDrained());
    this.#onEnd = guarded(this, () => this.#appEnded());
    this.#onClose = guarded(this, () => this.#closed());
    deadlines.add(this);
  }

  /** Once, at once: the socket is made with this connection as its reader. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#request = new RequestWriter(socket);
    const opened = guarded(this, () => this.#opened());
    socket.on('connect', opened);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', this.#onClose);
  }

  // ---- Member

  get room(): number {
    return this.#receiver === undefined && !this.#ended && !this.#closing ? 1 : 0;
  }

  suits({ upgrades, waited }: Borrower<Transport>): boolean {
    return !(this.#reused && (upgrades || waited));
  }

  transport(): Transport {
    return this;
  }

  close(): void {
    this.#closing = true;
    if (this.#receiver === undefined && this.#upgrade === undefined) this.abandon();
  }

  // ---- Transport

  send(request: RequestHead, receiver: Receiver): void {
    this.#receiver = receiver;
    this.#upgrade = request.upgrade;
    this.#answering = false;
    this.#reader.begin(request.method);
    this.#request.head(request);
  }

  sendBody(chunk: Buffer): boolean {
    return this.#request.body(chunk);
  }

  sendEnd(trailers: RawHeaders | undefined): void {
    this.#request.end(trailers);
  }

  pauseAnswer(): void {
    this.#socket.pause();
  }

  resumeAnswer(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  abandon(): void {
    if (this.#ended) return;
    this.#detach();
    this.#socket.destroy();
    this.#owner.left(this);
  }

  // ---- Timed

  get deadlineMs(): number {
    return this.connected && this.#receiver !== undefined ? this.#receiver.deadlineMs : this.#ownDeadlineMs;
  }

  expire(): void {
    if (!this.connected) this.broken(REJECTIONS.upstream_connect_timeout);
    else if (this.#receiver === undefined) this.abandon();
    else this.#receiver.expire();
  }

  crashed(error: unknown): void {
    const receiver = this.#receiver;
    this.abandon();
    (receiver ?? this.#options).crashed(error);
  }

  // ---- Reader: bytes of the answer

  get midBody(): boolean {
    // One that is paused holds no slab: there may be as many as connections.
    return this.#reader.midBody && !this.#socket.isPaused();
  }

  take(bytes: Buffer, slab: Slab | undefined): void {
    const receiver = this.#receiver;
    // What nobody asked for would be taken for the answer to the next request (CVE-2026-48931).
    if (receiver === undefined) return this.abandon();
    this.#answering = true;
    try {
      this.#reader.read(bytes, slab);
      if (this.#receiver === receiver) receiver.settle();
    } catch (error) {
      this.crashed(error);
    }
  }

  // ---- AnswerSink

  interim(status: number, headers: RawHeaders): void {
    this.#receiver?.interim(status, headers);
  }

  head(head: AnswerHead): void {
    const { persistent, keepAliveMs } = head;
    this.#persistent = persistent;
    // A second before the app's own limit, so that no request meets a closing connection.
    if (keepAliveMs !== undefined) this.#idleMs = Math.min(this.#options.limits.idleTimeoutMs, keepAliveMs - 1000);
    this.#receiver?.answerHead(head);
  }

  body(chunk: Buffer, release: (() => void) | undefined): void {
    this.#receiver?.answerBody(chunk, release);
  }

  /** Gives the connection back before the answer ends, so that the client's next request finds it. */
  complete(trailers: RawHeaders | undefined, surplus: boolean): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    // Servers hand the socket of an upgrade to somebody else, even where it is refused: nobody there reads a next request.
    const reusable = this.#request.done && this.#persistent && this.#upgrade === undefined && this.#idleMs > 0;
    if (!reusable || surplus || this.#closing || this.#socket.readableEnded) {
      this.abandon();
    } else {
      this.#reused = true;
      this.#ownDeadlineMs = this.#options.clock() + this.#idleMs;
      this.resumeAnswer();
      this.#owner.offer(this);
    }
    receiver?.answerEnd(trailers);
  }

  /** The socket is the tunnel's; the connection counts until that has closed. */
  switched({ reason, headers }: RawHead, rest: Buffer): void {
    const receiver = this.#receiver;
    if (!agreesTo(this.#upgrade, headers)) return this.broken(REJECTIONS.upstream_bad_upgrade);
    const socket = this.#socket;
    this.#detach();
    socket.removeAllListeners('data');
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.on('close', () => this.#owner.left(this));
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    receiver?.switched(reason, headers, { stream: socket, leave: () => socket.destroySoon() });
  }

  // ---- ends

  #opened(): void {
    this.connected = true;
    this.#ownDeadlineMs = this.#options.clock() + this.#idleMs;
    this.#receiver?.connected();
  }

  #appEnded(): void {
    if (this.#receiver === undefined) this.abandon();
    else this.#reader.end();
  }

  #closed(): void {
    this.broken(socketRejection(this.#error, this.connected));
  }

  broken(rejection: Rejection): void {
    const receiver = this.#receiver;
    const loss: Loss | undefined = this.#reused && !this.#answering ? 'stale' : undefined;
    this.abandon();
    receiver?.failed(rejection, rejection.reason === 'upstream_closed' ? loss : undefined);
  }

  /** Nothing of what comes is ours any more. */
  #detach(): void {
    this.#ended = true;
    this.#receiver = undefined;
    this.#reader.stop();
    this.#options.deadlines.delete(this);
  }
}
