// One exchange on its way to the app and back: what every forwarder does with it, written once. Which interim answers and
// trailers pass, whether a request may be sent a second time, when the first byte came, who owes a byte, and how it fails.
// A transport moves the messages and decides none of this. It ends by answering, by failing, or with the exchange gone.

import { clientKey } from '../clients/client-key.ts';
import { REJECTIONS, type Rejection } from '../errors.ts';
import { type Carrier, type Exchange, type Failures, UNKNOWN_LENGTH } from '../exchange.ts';
import { interimFields, passableTrailers, type RawHeaders } from '../http/fields.ts';
import type { Timed } from '../net/deadlines.ts';
import { type AnswerHead, mayRepeat, passesInterim } from './answer.ts';
import type { Borrower } from './borrower.ts';
import { SentRequest } from './sent-request.ts';
import type { Lender, Loss, Receiver, Transport } from './transport.ts';
import { joinTunnel, type Tunnel, type TunnelEnd } from './tunnel.ts';
import { type ForwarderOptions, MAX_INTERIM } from './upstream.ts';

export type CarriageOptions = Pick<ForwarderOptions, 'clock' | 'deadlines' | 'limits'> & { readonly lender: Lender };

export class Carriage implements Carrier, Receiver, Borrower<Transport>, Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly exchange: Exchange;
  readonly client: string;
  readonly clientConnection: object;
  readonly upgrades: boolean;
  readonly lasting: boolean;
  lasts = false;
  waited = false;
  readonly #failures: Failures;
  readonly #options: CarriageOptions;
  readonly #request: SentRequest;
  #transport: Transport | undefined = undefined;
  /** The client has not taken what was answered, when more of it came. */
  #clientBehind = false;
  #interims = 0;
  #answering = false;
  #eventStream = false;
  #departing = false;
  #tunnel: Tunnel | undefined = undefined;

  constructor(exchange: Exchange, failures: Failures, options: CarriageOptions) {
    this.exchange = exchange;
    this.client = clientKey(exchange.connection.client, exchange.client);
    this.clientConnection = exchange.connection;
    this.upgrades = exchange.upgrade !== undefined;
    this.lasting = this.upgrades || exchange.grpc;
    this.#failures = failures;
    this.#options = options;
    this.#request = new SentRequest(exchange, options.lender.keepsBody);
  }

  // ---- Borrower

  /** False: the exchange is over, and needs nothing any more. */
  lend(transport: Transport): boolean {
    if (this.exchange.finished) return false;
    this.#transport = transport;
    if (!transport.keepsTime) this.#options.deadlines.add(this);
    try {
      transport.send(this.exchange, this);
      // It may have failed within the call.
      if (this.#transport !== transport) return true;
      this.#turn();
      if (!this.waited) this.exchange.carry(this);
      else this.#request.again(transport);
    } catch (error) {
      this.crashed(error);
    }
    return true;
  }

  /** Nothing could be lent, or what was is taken back. */
  denied(rejection: Rejection): void {
    try {
      this.#give(rejection);
    } catch (error) {
      this.crashed(error);
    }
  }

  yield(): void {
    if (this.#transport !== undefined && this.exchange.lags) this.denied(REJECTIONS.client_timeout);
  }

  // ---- Carrier: what the client sends

  body(chunk: Buffer): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    const { bytesIn, maxBodyBytes } = this.exchange;
    if (bytesIn > maxBodyBytes) return this.#give(REJECTIONS.body_too_large);
    this.#request.body(transport, chunk);
    this.#turn();
  }

  bodyEnd(trailers: RawHeaders | undefined): void {
    this.#request.end(this.#transport, trailers);
    this.#turn();
  }

  drained(): void {
    this.#clientBehind = false;
    this.#transport?.resumeAnswer();
    this.#turn();
  }

  gone(): void {
    this.#options.lender.forget(this);
    this.#release()?.abandon();
    this.#request.settle();
    // The client's last bytes may still be on their way to the app.
    this.#tunnel?.leave();
  }

  depart(): void {
    this.#departing = true;
    this.#tunnel?.depart();
    if (!this.#eventStream || this.#transport === undefined) return;
    this.#release()?.abandon();
    this.exchange.end(undefined);
  }

  // ---- Receiver: what the app sends

  connected(): void {
    this.#turn();
  }

  interim(status: number, raw: RawHeaders): void {
    // A 101 that nobody asked for, and more than MAX_INTERIM, are no answer (RFC 9110 section 15.2).
    if (status === 101 || ++this.#interims > MAX_INTERIM) return this.#give(REJECTIONS.upstream_malformed);
    const { exchange } = this;
    if (passesInterim(status, exchange)) exchange.inform(status, interimFields(raw));
    if (status === 100) exchange.awaitsContinue = false;
    this.#heard();
  }

  answerHead(head: AnswerHead): void {
    const { exchange } = this;
    this.#answering = true;
    // An event stream too many is held to the time-outs like everything.
    exchange.patient = exchange.grpc || (head.stream && this.#options.lender.lasts(this));
    this.#request.settle();
    const nowMs = this.#options.clock();
    exchange.upstreamMs = nowMs - exchange.startedMs;
    const { addedToAnswer: added } = exchange;
    // The app's list may be another answer's, too.
    const headers = added === undefined ? head.headers : [...head.headers, ...added];
    exchange.answer(head.status, head.reason, headers, head.bodyLength);
    this.#eventStream = head.stream && head.bodyLength === UNKNOWN_LENGTH;
    this.#heard(nowMs);
  }

  answerBody(chunk: Buffer, release: (() => void) | undefined): void {
    this.exchange.write(chunk, release);
  }

  settle(): void {
    if (this.#departing) this.depart();
    if (this.#transport === undefined) return;
    if (!this.exchange.flush()) {
      const { account } = this.exchange.connection;
      // It goes on asking, and takes nothing.
      if (account.exceeded) return this.#give(REJECTIONS.client_over_share);
      // As with requests: the second read that the client has not taken pauses.
      if (this.#clientBehind || account.tight) this.#transport?.pauseAnswer();
      this.#clientBehind = true;
    }
    this.#heard();
  }

  answerEnd(trailers: RawHeaders | undefined): void {
    this.#release();
    this.exchange.end(passableTrailers(trailers));
  }

  appDrained(): void {
    this.#request.taken();
    if (!this.#request.done) this.exchange.resumeBody();
    this.#heard();
  }

  failed(rejection: Rejection, loss?: Loss): void {
    this.#release();
    // Only where the app cannot have acted, and the client has seen nothing.
    const seen = this.waited || this.#answering || this.#interims > 0;
    if (seen || !mayRepeat(this.exchange, loss, this.#request)) return this.#fail(rejection);
    this.waited = true;
    if (!this.#request.done) this.exchange.pauseBody();
    this.#options.lender.borrow(this);
  }

  switched(reason: string, raw: RawHeaders, app: TunnelEnd): void {
    this.#release();
    this.#request.settle();
    this.#tunnel = joinTunnel(this.exchange, { reason, raw, app }, this.#options);
    if (this.#tunnel === undefined) this.#fail(REJECTIONS.upstream_bad_upgrade);
    else if (this.#departing) this.#tunnel.depart();
  }

  // ---- time: who owes a byte

  expire(): void {
    this.#give(REJECTIONS.upstream_timeout);
  }

  /** The app has sent or taken something. */
  #heard(nowMs?: number): void {
    const { clock, limits } = this.#options;
    this.deadlineMs = this.#appOwes() ? (nowMs ?? clock()) + limits.upstreamTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** The turn may have changed: a deadline that runs goes on, whatever the client does. */
  #turn(): void {
    if (this.deadlineMs === Number.POSITIVE_INFINITY || !this.#appOwes()) this.#heard();
  }

  /** Not while the client owes: more of its request, or room for more of its answer. */
  #appOwes(): boolean {
    if (this.#transport?.connected !== true || this.exchange.patient || this.#clientBehind) return false;
    return this.#request.done || this.#request.behind || this.exchange.awaitsContinue;
  }

  // ---- ends

  crashed(error: unknown): void {
    this.#release()?.abandon();
    this.#request.settle();
    this.#failures.crashed(this.exchange, error);
  }

  /** The app's answer cannot be used, or the request is too large. */
  #give(rejection: Rejection): void {
    this.#release()?.abandon();
    this.#fail(rejection);
  }

  #fail(rejection: Rejection): void {
    this.#request.settle();
    this.#failures.fail(this.exchange, rejection);
  }

  #release(): Transport | undefined {
    const transport = this.#transport;
    this.#transport = undefined;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#request.taken();
    if (transport?.keepsTime === false) this.#options.deadlines.delete(this);
    return transport;
  }
}
