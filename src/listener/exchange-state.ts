// The listener's side of an exchange: what is the same in every protocol. Every exchange finishes exactly once, also where a
// callback on its behalf has thrown.

import type { Duplex } from 'node:stream';
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Carrier, ClientConnection, Exchange, Handler, Protocol } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import type { ExchangeSpan } from '../http/trace-context.ts';

/** What the listener read of a request, before any policy has seen it. */
export type ReceivedRequest = {
  readonly protocol: Protocol;
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  readonly authority?: string | undefined;
  readonly connectProtocol?: string | undefined;
  /** What is known before the request rules: HTTP/2 marks a request without a body. Default 0. */
  readonly bodyLength?: number;
};

/** What is the same in every protocol. They set `carrier`, `answered`, `ended`, and conclude() when nothing can follow any more. */
export abstract class ExchangeState implements Exchange {
  readonly connection: ClientConnection;
  readonly protocol: Protocol;
  readonly startedMs: number;
  method: string;
  target: string;
  headers: RawHeaders;
  readonly added: RawHeaders = [];
  readonly authority: string | undefined;
  readonly connectProtocol: string | undefined;
  addedToAnswer: RawHeaders | undefined = undefined;
  host = '';
  bodyLength: number;
  maxBodyBytes = Number.POSITIVE_INFINITY;
  upgrade: string | undefined = undefined;
  awaitsContinue = false;
  grpc = false;
  patient = false;
  persistent = false;
  requestId = '';
  client: string;
  span: ExchangeSpan | undefined = undefined;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  upstreamMs = -1;
  rejection: Rejection | undefined = undefined;
  answered = false;
  finished = false;
  /** Who carries it, from carry() on. */
  carrier: Carrier | undefined = undefined;
  waiter: Pick<Carrier, 'gone'> | undefined = undefined;
  /** end() has been called: the carrier has done its part. */
  ended = false;

  constructor(connection: ClientConnection, startedMs: number, request: ReceivedRequest) {
    this.connection = connection;
    this.client = connection.remoteAddress;
    this.startedMs = startedMs;
    this.protocol = request.protocol;
    this.method = request.method;
    this.target = request.target;
    this.headers = request.headers;
    this.authority = request.authority;
    this.connectProtocol = request.connectProtocol;
    this.bodyLength = request.bodyLength ?? 0;
  }

  /**
   * The exchange is over; only the first call counts. `complete`: the client has all of its answer, or its byte stream was
   * handed over. Whoever cut it short has said why before; else the client has left. `told` is the pipeline.
   */
  conclude(complete: boolean, told: Pick<Handler, 'finished'>): void {
    if (this.finished) return;
    this.finished = true;
    if (!complete) this.rejection ??= REJECTIONS.client_gone;
    if (!this.answered) this.status = (this.rejection ?? REJECTIONS.client_gone).status;
    told.finished(this);
    this.letCarrierGo();
  }

  /** A carrier that has not done its part closes the app's side, now; it is told once. */
  letCarrierGo(): void {
    const carrier = this.carrier ?? this.waiter;
    this.carrier = undefined;
    this.waiter = undefined;
    if (!this.ended) carrier?.gone();
  }

  abstract get lags(): boolean;
  abstract carry(carrier: Carrier): void;
  abstract pauseBody(): void;
  abstract resumeBody(): void;
  abstract inform(status: number, headers: RawHeaders): void;
  abstract answer(status: number, reason: string, headers: RawHeaders, bodyLength: number): void;
  abstract write(chunk: Buffer, release?: () => void): void;
  abstract flush(): boolean;
  abstract end(trailers: RawHeaders | undefined): void;
  abstract cut(): void;
  abstract switchProtocols(reason: string, headers: RawHeaders): Duplex;
}

/** A callback on behalf of an exchange has thrown: pipeline and carrier are told. Throws nothing; whoever calls closes its connection. */
export function crashExchange(
  exchange: ExchangeState | undefined,
  error: unknown,
  told: Pick<Handler, 'crashed'>,
): void {
  const carrier = exchange?.carrier;
  try {
    told.crashed(exchange, error);
    // Else its close tells the carrier.
    if (exchange?.ended === true) carrier?.gone();
  } catch {
    // It comes of the first error, of which the pipeline has been told.
  }
}
