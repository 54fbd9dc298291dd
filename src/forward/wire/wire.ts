// The wire forwarder: writes the request head straight to a pooled connection, and passes bodies on as they come, with
// back-pressure both ways. One object an exchange, no promise, closure or stream: measured at a quarter of the CPU time
// of http-proxy (32 and 133 us a small request, nginx 21). Also carries upgrades, on connections of their own, until the app has answered 101.

import type { Socket } from 'node:net';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import type { Carrier, Clock, Exchange, Failures } from '../../exchange.ts';
import { passableTrailers, type RawHeaders } from '../../http/fields.ts';
import { type AnswerHead, mayRepeat, passesInterim } from '../answer.ts';
import type { Forwarder, ForwardLimits, Upstream } from '../forward.ts';
import { provesHandshake, splice } from '../tunnel.ts';
import type { AnswerReceiver, AppConnection } from './connection.ts';
import { type Borrower, Pool } from './pool.ts';

export type WireOptions = { readonly upstream: Upstream; readonly limits: ForwardLimits; readonly clock: Clock };

export function createWireForwarder(options: WireOptions): Forwarder {
  const pool = new Pool(options);
  return {
    forward(exchange, failures) {
      const carrier = new WireCarrier(exchange, failures, pool);
      if (exchange.upgrade === undefined) pool.borrow(carrier, false);
      else carrier.lend(pool.dialApart());
    },
    close() {
      pool.close();
    },
  };
}

class WireCarrier implements Carrier, AnswerReceiver, Borrower {
  readonly #exchange: Exchange;
  readonly #failures: Failures;
  readonly #pool: Pool;
  #connection: AppConnection | undefined = undefined;
  #retried = false;
  /** Body bytes have been sent that the app had not taken when they came. */
  #ahead = false;
  #tunnel: Socket | undefined = undefined;

  constructor(exchange: Exchange, failures: Failures, pool: Pool) {
    this.#exchange = exchange;
    this.#failures = failures;
    this.#pool = pool;
  }

  // ---- Borrower

  lend(connection: AppConnection): void {
    // Its client left while it waited.
    if (this.#exchange.finished) return this.#pool.takeBack(connection);
    this.#connection = connection;
    connection.send(this.#exchange, this);
    if (this.#exchange.bodyLength !== 0) connection.suspend();
    this.#exchange.carry(this);
  }

  starved(): void {
    this.#failures.fail(this.#exchange, REJECTIONS.upstream_busy);
  }

  // ---- Carrier: what the client sends

  body(chunk: Buffer): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (connection.sendBody(chunk)) {
      connection.suspend();
      return;
    }
    // As with answers: most writes are done before the client's next bytes come.
    if (this.#ahead) this.#exchange.pauseBody();
    this.#ahead = true;
  }

  bodyEnd(trailers: RawHeaders | undefined): void {
    this.#connection?.sendEnd(passableTrailers(trailers));
  }

  drained(): void {
    this.#connection?.clientDrained();
  }

  gone(): void {
    this.#pool.forget(this);
    this.#connection?.destroy();
    this.#connection = undefined;
    // The client's last bytes may still be on their way to the app.
    this.#tunnel?.destroySoon();
  }

  // ---- AnswerReceiver: what the app sends

  interim(status: number, headers: RawHeaders): void {
    if (passesInterim(status, this.#exchange.headers)) this.#exchange.inform(status, headers);
  }

  answerHead(head: AnswerHead): void {
    const exchange = this.#exchange;
    exchange.upstreamMs = this.#pool.clock() - exchange.startedMs;
    exchange.answer(head.status, head.reason, head.headers, head.bodyLength);
  }

  answerBody(chunk: Buffer, release: (() => void) | undefined): void {
    this.#exchange.write(chunk, release);
  }

  settle(): boolean {
    return this.#exchange.flush();
  }

  answerEnd(trailers: RawHeaders | undefined): void {
    this.#connection = undefined;
    this.#exchange.end(passableTrailers(trailers));
  }

  appDrained(): void {
    this.#ahead = false;
    this.#connection?.suspend();
    this.#exchange.resumeBody();
  }

  failed(rejection: Rejection): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined && this.#mayRetry(connection, rejection)) {
      this.#retried = true;
      this.#pool.borrow(this, true);
    } else {
      this.#failures.fail(this.#exchange, rejection);
    }
  }

  switched(reason: string, headers: RawHeaders, socket: Socket): void {
    const exchange = this.#exchange;
    this.#connection = undefined;
    if (!provesHandshake(exchange, headers)) {
      socket.destroy();
      return this.#failures.fail(exchange, REJECTIONS.upstream_bad_upgrade);
    }
    this.#tunnel = socket;
    exchange.upstreamMs = this.#pool.clock() - exchange.startedMs;
    splice(exchange, reason, headers, socket);
  }

  /** Only where the app cannot have acted: it closed a connection that it had kept idle, before any byte of an answer. */
  #mayRetry(connection: AppConnection, rejection: Rejection): boolean {
    if (this.#retried || this.#exchange.finished || !connection.reused || connection.answering) return false;
    return rejection.reason === 'upstream_closed' && mayRepeat(this.#exchange);
  }
}
