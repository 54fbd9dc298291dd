// One stream of HTTP/2, for both ends: what waits for windows on the way out, what waits for its taker on the way in, and
// which directions have ended. Bytes that wait are held in copies, and their windows are not given back before they are
// taken. It knows frames and bytes; what they mean, its owner knows.

import type { Account } from '../../net/budget.ts';
import type { RawHeaders } from '../fields.ts';
import type { Field } from '../hpack/field.ts';
import { ByteQueue } from './byte-queue.ts';
import { Ending } from './closed-streams.ts';
import { type Code, DATA_BYTES, Flag } from './frames.ts';
import { Incoming } from './incoming.ts';
import { DEFAULT_URGENCY } from './send-queue.ts';
import type { H2Session } from './session.ts';
import type { StreamOwner } from './stream-owner.ts';

/** Larger pieces that wait are not copied: they are most of the buffer that they keep. */
const LEND_BYTES = 16_384;

export class H2Stream {
  readonly id: number;
  urgency = DEFAULT_URGENCY;
  /** In the session's queue. */
  queued = false;
  /** In the session's list of those whose held bytes can be given on. */
  gathered = false;
  sendWindow: number;
  /** The peer has ended its direction. */
  remoteEnded = false;
  closed = false;
  readonly #session: H2Session;
  #owner: StreamOwner | undefined = undefined;
  #localEnded = false;
  /** Made with the first that is asked of it: most requests have no body. */
  #incoming: Incoming | undefined = undefined;
  #pending: ByteQueue | undefined = undefined;
  #ending = false;
  #trailers: RawHeaders | undefined = undefined;
  #waiting = false;
  /** Its session has forgotten it: nothing more is sent. */
  #gone = false;
  #bodyEnded = false;

  constructor(session: H2Session, id: number, sendWindow: number) {
    this.#session = session;
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** Once, before anything else. */
  attach(owner: StreamOwner): void {
    this.#owner = owner;
  }

  get account(): Account {
    return (this.#owner as StreamOwner).account;
  }

  // ---- receiving

  #body(): Incoming {
    this.#incoming ??= new Incoming(this.#session, this, this.#owner as StreamOwner);
    return this.#incoming;
  }

  /** As a stream is at first: what comes is held. */
  pause(): void {
    if (this.#incoming !== undefined) this.#incoming.paused = true;
  }

  /** What was held is given on, and so is what comes. */
  resume(): void {
    this.#body().resume();
  }

  /** For the session: a DATA frame that counts for this window. False: it is above it. */
  count(bytes: number, padding: number): boolean {
    return this.#body().count(bytes, padding);
  }

  receive(chunk: Buffer, last: boolean): void {
    this.#owner?.received(chunk.length);
    if (this.closed) this.#session.data.taken(chunk.length);
    else this.#body().receive(chunk, last);
  }

  receiveFields(fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    this.#owner?.fields(fields, overflowed, ended);
    if (ended && !this.closed) this.end();
  }

  end(): void {
    this.remoteEnded = true;
    this.deliver();
  }

  /** Gives on what is held, as far as it is wanted. */
  deliver(): void {
    this.#body().deliver();
  }

  /** For its body: the last of it, and its end, were given on. */
  bodyEnded(): void {
    this.#bodyEnded = true;
    if (this.#localEnded) this.close(Ending.ended);
  }

  /** What has come and waits for its taker. */
  get heldBytes(): number {
    return this.#incoming?.heldBytes ?? 0;
  }

  // ---- sending

  head(status: number | undefined, headers: RawHeaders): void {
    if (!this.closed && !this.#gone) this.#session.out.fields(this.id, status, headers, 0);
  }

  /** `release` is called when the bytes are not needed any more. */
  write(chunk: Buffer, release?: () => void): void {
    if (this.closed || this.#localEnded) return release?.();
    const sent = this.#pending === undefined ? this.#session.out.sendNow(this, chunk) : 0;
    if (sent === chunk.length) return release?.();
    this.#pending ??= new ByteQueue(this.account);
    const rest = sent === 0 ? chunk : chunk.subarray(sent);
    if (release === undefined || rest.length < LEND_BYTES) {
      this.#pending.append(rest);
      release?.();
    } else {
      this.#pending.lend(rest, release);
    }
    this.wake();
  }

  /** False: what was written waits, and drained() will be called. */
  flush(): boolean {
    this.#waiting = !this.closed && (this.#pending !== undefined || this.#session.out.congested);
    return !this.#waiting;
  }

  /** Nothing more is written; what waits is sent first. */
  finish(trailers: RawHeaders | undefined): void {
    this.#ending = true;
    this.#waiting = false;
    this.#trailers = trailers;
    if (this.#pending === undefined) this.#sendEnd();
  }

  /** Our direction has ended, or can go on no more. */
  get localEnded(): boolean {
    return this.#localEnded;
  }

  get pendingBytes(): number {
    return this.#pending?.length ?? 0;
  }

  /** Into the queue, where there is something to send and a window for it. */
  wake(): void {
    if (this.#pending !== undefined && this.sendWindow > 0) this.#session.out.queue.add(this);
  }

  /** Where it waits, it goes on waiting behind those that are as urgent. */
  prioritize(urgency: number): void {
    const { queue } = this.#session.out;
    const { queued } = this;
    if (queued) queue.delete(this);
    this.urgency = urgency;
    if (queued) queue.add(this);
  }

  /** The queue has come to this stream: one frame. */
  sendSome(connectionWindow: number): void {
    const pending = this.#pending;
    // SETTINGS may have brought its window below 0 while it stood in the queue (RFC 9113 section 6.9.2).
    if (pending === undefined || this.sendWindow <= 0) return;
    const chunk = pending.take(Math.min(DATA_BYTES, this.sendWindow, connectionWindow));
    if (chunk !== undefined) this.#session.out.data(this, chunk, 0, chunk.length);
    pending.used();
    if (pending.length > 0) {
      this.wake();
      return this.#owner?.progressed();
    }
    this.#pending = undefined;
    if (this.#ending) return this.#sendEnd();
    this.#owner?.progressed();
    this.uncongested();
  }

  uncongested(): void {
    if (!this.#waiting || this.#pending !== undefined) return;
    this.#waiting = false;
    try {
      this.#owner?.drained();
    } catch (error) {
      this.#owner?.crashed(error);
    }
  }

  #sendEnd(): void {
    if (this.#localEnded || this.closed) return;
    this.#localEnded = true;
    if (this.#trailers === undefined) this.#session.out.end(this.id);
    else this.#session.out.fields(this.id, undefined, this.#trailers, Flag.endStream);
    this.#owner?.sent();
    // What is held goes to its taker first, where that still wants it.
    if (this.#bodyEnded) this.close(Ending.ended);
  }

  // ---- ends

  /** We want no more of it. */
  reset(code: Code): void {
    if (this.closed) return;
    if (!this.#gone) this.#session.out.reset(this.id, code);
    this.close(Ending.resetByUs);
  }

  /** It ended without our doing. */
  lose(code: Code, ending: Ending): void {
    if (this.closed) return;
    const owner = this.#owner;
    if (this.remoteEnded && owner?.keeps?.(code) === true) return this.#forget(ending);
    this.close(ending);
    owner?.lost(code);
  }

  close(ending: Ending): void {
    if (this.closed) return;
    this.closed = true;
    this.#forget(ending);
    this.#incoming?.close();
  }

  /** Nothing more is sent; what is held of the body waits for its taker. */
  #forget(ending: Ending): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#localEnded = true;
    this.#pending?.clear();
    this.#pending = undefined;
    this.#waiting = false;
    this.#session.closed(this, ending);
  }
}
