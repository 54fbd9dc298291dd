// One HTTP/1.x exchange as its client sees it: writes the answer. Head, chunk frames and small bodies are gathered in a
// string and leave in one write: one TLS record and one system call for a small answer, chunked or not. Reading the
// request is the connection's work; this class never looks at what came in.

import type { Duplex } from 'node:stream';
import { REJECTIONS } from '../../errors.ts';
import { type Carrier, UNKNOWN_LENGTH } from '../../exchange.ts';
import { chunkHead } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { writeFields } from '../../http/head.ts';
import { ownCopy } from '../../net/own-copy.ts';
import { isMeasured } from '../body-rate.ts';
import { ExchangeState, type ReceivedRequest } from '../exchange-state.ts';
import type { Http1Connection } from './connection.ts';

/** Body pieces up to this many bytes are copied into the gathered string; larger ones are written as they are. */
const GATHER_BYTES = 4096;
const GATHERED_MAX = 16384;

export class Http1Exchange extends ExchangeState {
  readonly #client: Http1Connection;
  #gathered = '';
  #chunked = false;

  constructor(client: Http1Connection, startedMs: number, request: ReceivedRequest) {
    super(client.facts, startedMs, request);
    this.#client = client;
  }

  get lags(): boolean {
    return isMeasured(this) && this.#client.deadline.lags;
  }

  carry(carrier: Carrier): void {
    if (this.finished) return carrier.gone();
    this.carrier = carrier;
    this.#client.carried(this);
  }

  pauseBody(): void {
    if (!this.finished) this.#client.body.pause();
  }

  resumeBody(): void {
    if (!this.finished) this.#client.body.resume();
  }

  inform(status: number, headers: RawHeaders): void {
    if (this.finished || this.answered || this.protocol === 'http/1.0') return;
    this.#client.socket.write(`HTTP/1.1 ${status} ${INTERIM[status] ?? 'Interim'}\r\n${writeFields(headers)}\r\n`);
    if (status !== 100 || !this.awaitsContinue) return;
    this.awaitsContinue = false;
    this.#client.body.settle();
  }

  answer(status: number, reason: string, headers: RawHeaders, bodyLength: number): void {
    if (this.finished || this.answered) return;
    this.answered = true;
    this.status = status;
    let head = `HTTP/1.1 ${status} ${reason}\r\n${writeFields(headers)}`;
    if (bodyLength === UNKNOWN_LENGTH) {
      if (this.protocol === 'http/1.1') {
        this.#chunked = true;
        head += 'Transfer-Encoding: chunked\r\n';
      } else {
        this.persistent = false;
      }
    }
    if (!this.#client.mayPersist(this) || this.#turnsAway()) this.persistent = false;
    if (!this.persistent) head += 'Connection: close\r\n';
    else if (this.protocol === 'http/1.0') head += 'Connection: keep-alive\r\n';
    this.#gathered = `${head}\r\n`;
  }

  /** Whoever only asks too often is told to wait, not to make another handshake. */
  #turnsAway(): boolean {
    return this.rejection?.side === 'client' && this.rejection !== REJECTIONS.rate_limited;
  }

  write(chunk: Buffer, release?: () => void): void {
    if (this.finished) return release?.();
    this.bytesOut += chunk.length;
    if (this.#chunked) this.#gathered += chunkHead(chunk.length);
    if (chunk.length <= GATHER_BYTES && this.#gathered.length <= GATHERED_MAX) {
      this.#gathered += chunk.toString('latin1');
      if (this.#chunked) this.#gathered += '\r\n';
      release?.();
    } else {
      this.#client.socket.writeWith(this.#gathered, release === undefined ? ownCopy(chunk) : chunk, release);
      this.#gathered = this.#chunked ? '\r\n' : '';
    }
  }

  flush(): boolean {
    if (this.finished) return true;
    this.#client.socket.write(this.#gathered);
    this.#gathered = '';
    return !this.#client.socket.blocked;
  }

  end(trailers: RawHeaders | undefined): void {
    if (this.finished) return;
    this.ended = true;
    if (this.#chunked) this.#gathered += trailers === undefined ? '0\r\n\r\n' : `0\r\n${writeFields(trailers)}\r\n`;
    this.flush();
    this.#client.answerEnded(this);
  }

  cut(): void {
    if (!this.finished) this.#client.destroy();
  }

  switchProtocols(reason: string, headers: RawHeaders): Duplex {
    this.answered = true;
    this.status = 101;
    return this.#client.handOver(`HTTP/1.1 101 ${reason}\r\n${writeFields(headers)}\r\n`);
  }
}

const INTERIM: Readonly<Record<number, string>> = { 100: 'Continue', 102: 'Processing', 103: 'Early Hints' };
