// What of a request has been sent to the app: whether it is complete, what can be sent once more, and what the app has not
// taken, which is counted to the client.

import type { Exchange } from '../exchange.ts';
import { passableTrailers, type RawHeaders } from '../http/fields.ts';
import { KeptBody } from './kept-body.ts';
import type { Transport } from './transport.ts';

export class SentRequest {
  /** All of it has come. */
  done: boolean;
  /** The app has not taken what was sent. */
  behind = false;
  readonly #exchange: Exchange;
  readonly #kept: KeptBody | undefined;
  #trailers: RawHeaders | undefined = undefined;
  #untaken = 0;

  /** `keeps`: the app may refuse it unseen. */
  constructor(exchange: Exchange, keeps: boolean) {
    this.#exchange = exchange;
    this.done = exchange.bodyLength === 0;
    this.#kept = keeps && !this.done ? new KeptBody(exchange.connection.account) : undefined;
  }

  body(transport: Transport, chunk: Buffer): void {
    this.#kept?.add(chunk);
    if (transport.sendBody(chunk)) return;
    const { account } = this.#exchange.connection;
    // Most writes are done before the client's next bytes come: pausing at once would cost two system calls for each.
    if (this.behind || account.tight) this.#exchange.pauseBody();
    this.behind = true;
    this.#untaken += chunk.length;
    account.count(chunk.length);
  }

  end(transport: Transport | undefined, trailers: RawHeaders | undefined): void {
    this.done = true;
    this.#trailers = passableTrailers(trailers);
    transport?.sendEnd(this.#trailers);
  }

  /** On another transport. */
  again(transport: Transport): void {
    const kept = this.#kept?.bytes;
    if (kept === undefined) return;
    if (kept.length > 0) transport.sendBody(kept);
    if (this.done) transport.sendEnd(this.#trailers);
    else this.#exchange.resumeBody();
  }

  /** Whether all that has been sent can be sent once more. */
  get whole(): boolean {
    return this.#exchange.bodyLength === 0 || this.#kept?.whole === true;
  }

  /** The app has taken what was sent, or what it has not is nobody's any more. */
  taken(): void {
    this.behind = false;
    if (this.#untaken === 0) return;
    this.#exchange.connection.account.count(-this.#untaken);
    this.#untaken = 0;
  }

  /** It will not be sent again. */
  settle(): void {
    this.#kept?.drop();
  }
}
