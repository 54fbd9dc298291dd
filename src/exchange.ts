// The exchange: one request and its answer. It is all that the listener, the pipeline and the forwarders know of
// each other. The listener makes it and carries it out on the client's side; policies read and edit the request;
// a forwarder takes the body through a Carrier and gives the answer. Every exchange finishes exactly once.

import type { Duplex } from 'node:stream';
import type { ClientIdentity } from './clients/certificate.ts';
import type { Rejection } from './errors.ts';
import type { RawHeaders } from './http/fields.ts';
import type { ExchangeSpan } from './http/trace-context.ts';
import type { Account } from './net/budget.ts';

/** A body whose length is not known before its end (chunked, or until the connection closes). */
export const UNKNOWN_LENGTH = -1;

export type Protocol = 'http/1.0' | 'http/1.1' | 'h2';

export type TlsFacts = {
  readonly version: string;
  readonly cipher: string;
  readonly sni: string;
  readonly resumed: boolean;
  /** Who the client proved to be: the first URI of its verified certificate, else the subject. */
  readonly client: string | undefined;
};

/** What is known of the client's connection; the same object for all of its exchanges. */
export interface ClientConnection {
  /** IP address of the client: what a balancer's PROXY header says, else the TCP peer. IPv4-mapped IPv6 as IPv4. */
  readonly remoteAddress: string;
  /** IP address of the TCP peer: what trust is judged on. IPv4-mapped IPv6 as IPv4. */
  readonly peerAddress: string;
  readonly scheme: 'https' | 'http';
  readonly tls: TlsFacts | undefined;
  /** What its certificate came to; undefined where none is asked for. */
  readonly client: ClientIdentity | undefined;
  readonly account: Account;
}

export interface Exchange {
  readonly connection: ClientConnection;
  readonly protocol: Protocol;
  /** Monotonic milliseconds (performance.now) when the request head was complete. */
  readonly startedMs: number;

  // The request; policies may edit it until it is forwarded.
  method: string;
  target: string;
  /** The client's fields. The list may be another request's, too: a policy replaces it, and never changes it. */
  headers: RawHeaders;
  /** Fields of ours, which the app gets behind those of the client. Set by the policies. */
  readonly added: RawHeaders;
  /** What HTTP/2 named beside the fields (`:authority`); undefined in HTTP/1. */
  readonly authority: string | undefined;
  /** `:protocol` of an extended CONNECT (RFC 8441), which HTTP/2 has in place of an upgrade; else undefined. */
  readonly connectProtocol: string | undefined;
  /** Fields of ours, which the client gets behind those of the answer, whoever makes it. Set by the policies. */
  addedToAnswer: RawHeaders | undefined;
  /** The authority that the client asked for, with its port if it gave one. Set by the request rules. */
  host: string;
  /** Bytes of the request body: 0 for none, UNKNOWN_LENGTH for one whose end is found as it comes. Set by the request rules. */
  bodyLength: number;
  /** The most bytes that the body may have. Set by the policies. */
  maxBodyBytes: number;
  /** The protocol that the client wants to change to, as it wrote it. Set by the request rules. */
  upgrade: string | undefined;
  /** It waits for a 100 (RFC 9110 section 10.1.1), so the app owes: from the request rules to inform() or its first byte. */
  awaitsContinue: boolean;
  /** Whether it is a gRPC call: silence is normal, and failures are told in gRPC's way. Set by the grpc policy. */
  grpc: boolean;
  /** The head of the answer is there, and silence after it is normal: an event stream, gRPC. Set by the carrier. */
  patient: boolean;
  /** Whether the client lets its connection stay open after this exchange. Set by the request rules. */
  persistent: boolean;
  requestId: string;
  /** IP address of who asked: the connection's client, or whom a trusted proxy names. Set by the client policy. */
  client: string;
  /** Its place in a trace. Set by the observer, if spans are exported. */
  span: ExchangeSpan | undefined;

  // The outcome, for log and metrics.
  status: number;
  bytesIn: number;
  bytesOut: number;
  /** Milliseconds from the start to the first byte of the app's answer; -1 before it. */
  upstreamMs: number;
  rejection: Rejection | undefined;

  /** Whether the head of the final answer has been given. */
  readonly answered: boolean;
  /** Whether the client owes a byte, and has for a while been slower with what it owes than --min-body-rate. */
  readonly lags: boolean;
  /** Whether the exchange is over: nothing may be called any more, and calls have no effect. */
  readonly finished: boolean;
  /** Names who carries this exchange, and starts the flow of its body; bodyEnd() is not called where there is none. */
  carry(carrier: Carrier): void;
  pauseBody(): void;
  resumeBody(): void;
  /** Who waits on its behalf until there is a carrier. */
  waiter: Pick<Carrier, 'gone'> | undefined;

  /** Sends an interim (1xx) answer, where the client's protocol has such. */
  inform(status: number, headers: RawHeaders): void;
  /** Gives the head of the answer; it leaves with the first bytes of the body, or at flush(). */
  answer(status: number, reason: string, headers: RawHeaders, bodyLength: number): void;
  /**
   * Body bytes, good during the call, or with `release` until that is called (after a cut perhaps never). They may wait for
   * flush() or end().
   */
  write(chunk: Buffer, release?: () => void): void;
  /** What was given so far leaves now. False: the client is slower than the app; wait for the carrier's drained(). */
  flush(): boolean;
  /** The answer is complete. Trailers are sent where the protocol and the framing have room for them. */
  end(trailers: RawHeaders | undefined): void;
  /** Breaks the answer off so that the client sees a failure, never a complete answer. */
  cut(): void;
  /** Answers 101 (200 in HTTP/2) and hands the client's byte stream over. The exchange finishes when the stream closes. */
  switchProtocols(reason: string, headers: RawHeaders): Duplex;
}

/** Where a forwarder says that an exchange failed: the pipeline. */
export type Failures = Pick<Handler, 'fail' | 'crashed'>;

/** A forwarder's side of one exchange: the listener calls it as the request arrives and the client drains. */
export interface Carrier {
  /** `chunk` is good during the call only: what is needed longer is copied. */
  body(chunk: Buffer): void;
  bodyEnd(trailers: RawHeaders | undefined): void;
  drained(): void;
  /** The sidecar stops: what has no end of its own, an event stream or a WebSocket, is ended in its own way. */
  depart(): void;
  /** The client left or the exchange was cut: the app's side must be closed at once. */
  gone(): void;
}

/** What the listener hands exchanges to: the pipeline. */
export interface Handler {
  handle(exchange: Exchange): void;
  /** Instead of handle(): the listener itself found the request unacceptable (syntax, size, time). */
  refuse(exchange: Exchange, rejection: Rejection): void;
  /** An exchange that was handled cannot go on: it is answered so, or cut where it was answered already. */
  fail(exchange: Exchange, rejection: Rejection): void;
  /** A defect of ours: logged, counted, and the exchange, if there is one, failed. Whoever calls closes its connection. */
  crashed(exchange: Exchange | undefined, error: unknown): void;
  /** Called exactly once for every exchange, after its last byte or its cut. */
  finished(exchange: Exchange): void;
}

/** A monotonic clock in milliseconds, given to whatever needs time so that tests can hold it. */
export type Clock = () => number;
