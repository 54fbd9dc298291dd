// An exchange without a connection, for tests of what stands right of the listener: the request is given, the answer is
// written down call by call.

import { Duplex } from 'node:stream';
import type { Carrier, ClientConnection, Protocol } from '../../../src/exchange.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { ExchangeState } from '../../../src/listener/exchange-state.ts';
import { Budget } from '../../../src/net/budget.ts';

export type FakeRequest = {
  method?: string;
  target?: string;
  protocol?: Protocol;
  /** `:authority` of HTTP/2. */
  authority?: string;
  /** `:protocol` of HTTP/2. */
  connectProtocol?: string;
  /** HTTP/2 knows before the request rules whether there is a body. */
  bodyLength?: number;
  headers?: RawHeaders;
  connection?: Partial<ClientConnection>;
};

/** Who is told of the end: see onEnd, and calls. */
const NOBODY = { finished() {} };

export class FakeExchange extends ExchangeState {
  /** What was called, in order: `answer 200`, `write 5`, `flush`, `end`, `cut` … */
  readonly calls: string[] = [];
  answerHeaders: RawHeaders = [];
  answerLength = 0;
  body = '';
  trailers: RawHeaders | undefined = undefined;
  /** For a test that waits for the end of the answer. */
  onEnd: () => void = () => {};
  lags = false;

  /** All fields that the app gets. */
  get sent(): RawHeaders {
    return [...this.headers, ...this.added];
  }

  constructor({ connection = {}, ...request }: FakeRequest) {
    const peerAddress = connection.remoteAddress ?? '192.0.2.7';
    const facts = {
      remoteAddress: peerAddress,
      peerAddress,
      scheme: 'https',
      tls: undefined,
      client: undefined,
      account: new Budget({ bytes: 64 << 20, percent: 50 }).open(peerAddress),
    } as const;
    super({ ...facts, ...connection }, 0, {
      protocol: 'http/1.1',
      method: 'GET',
      target: '/',
      headers: [],
      ...request,
    });
  }

  carry(carrier: Carrier): void {
    this.calls.push('carry');
    this.carrier = carrier;
  }

  pauseBody(): void {
    this.calls.push('pauseBody');
  }

  resumeBody(): void {
    this.calls.push('resumeBody');
  }

  inform(status: number): void {
    this.calls.push(`inform ${status}`);
  }

  answer(status: number, reason: string, headers: RawHeaders, bodyLength: number): void {
    this.calls.push(`answer ${status} ${reason}`);
    this.answered = true;
    this.status = status;
    this.answerHeaders = headers;
    this.answerLength = bodyLength;
  }

  write(chunk: Buffer): void {
    this.calls.push('write');
    this.body += chunk.toString('latin1');
  }

  flush(): boolean {
    this.calls.push('flush');
    return true;
  }

  end(trailers: RawHeaders | undefined): void {
    this.calls.push(trailers === undefined ? 'end' : 'end with trailers');
    this.ended = true;
    this.conclude(true, NOBODY);
    this.trailers = trailers;
    this.onEnd();
  }

  cut(): void {
    this.calls.push('cut');
    this.conclude(false, NOBODY);
  }

  switchProtocols(): Duplex {
    this.calls.push('switchProtocols');
    return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  }
}
