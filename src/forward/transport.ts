// What moves the messages of one exchange to the app and back: a connection of wire, a stream of h2c, a request of http-proxy.
// Only the shape: what they have in common is decided in carriage.ts.

import type { Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import type { AnswerHead } from './answer.ts';
import type { Borrower } from './borrower.ts';
import type { TunnelEnd } from './tunnel.ts';

/** Moves the messages of one exchange. After abandon() it calls its receiver no more. */
export interface Transport {
  /** Whether the app has accepted the connection. */
  readonly connected: boolean;
  /** It is swept itself, and looks at its receiver's deadline then. */
  readonly keepsTime: boolean;
  /** Writes the head of the request. Throws for fields that its protocol cannot carry. */
  send(exchange: Exchange, receiver: Receiver): void;
  /** Body bytes, good during the call only. False: wait for appDrained(). */
  sendBody(chunk: Buffer): boolean;
  /** The request is complete. */
  sendEnd(trailers: RawHeaders | undefined): void;
  /** Stops reading the answer, and goes on with it. */
  pauseAnswer(): void;
  resumeAnswer(): void;
  /** Gives up what has not ended: nothing of it is used again. */
  abandon(): void;
}

/**
 * What a failure says of the request. `unseen`: the app said that it has not looked at it. `stale`: a connection that was used
 * before closed without a byte of an answer, as the app may close it at any time.
 */
export type Loss = 'unseen' | 'stale';

/** What a transport calls; after answerEnd(), failed(), crashed() or switched() nothing more. */
export interface Receiver {
  /** As of Timed: when the app will have owed a byte for too long. */
  readonly deadlineMs: number;
  expire(): void;
  connected(): void;
  interim(status: number, raw: RawHeaders): void;
  answerHead(head: AnswerHead): void;
  /** Bytes that are good during the call; with `release` they are until that is called. */
  answerBody(chunk: Buffer, release: (() => void) | undefined): void;
  /** All that one read brought has been given; answerEnd() needs none. */
  settle(): void;
  answerEnd(trailers: RawHeaders | undefined): void;
  /** The app takes request bytes again. */
  appDrained(): void;
  failed(rejection: Rejection, loss?: Loss): void;
  crashed(error: unknown): void;
  /** The app agreed to change the protocol; `app`, with whatever followed, is no longer the transport's. */
  switched(reason: string, raw: RawHeaders, app: TunnelEnd): void;
}

/** Where transports of one kind come from. */
export interface Lender {
  /** Whether the app may refuse a request unseen, so that the beginning of its body is kept. */
  readonly keepsBody: boolean;
  borrow(borrower: Borrower<Transport>): void;
  forget(borrower: Borrower<Transport>): void;
  /** Its answer may be silent for ever. False: its client has as many of such as it may. */
  lasts(borrower: Borrower<Transport>): boolean;
  /** Lends no more, and closes what is idle. */
  close(): void;
}
