// An exchange without a connection, for tests of what stands right of the listener: the request is given, the answer is
// written down call by call.

import { Duplex } from 'node:stream';
import type { Rejection } from '../../../src/errors.ts';
import type { Carrier, ClientConnection, Exchange, Protocol } from '../../../src/exchange.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';

export type FakeRequest = {
  method?: string;
  target?: string;
  protocol?: Protocol;
  /** `:authority` of HTTP/2. */
  authority?: string;
  /** `:protocol` of HTTP/2. */
  connectProtocol?: string;
  /** HTTP/2 knows before the gate whether there is a body. */
  bodyLength?: number;
  headers?: RawHeaders;
  connection?: Partial<ClientConnection>;
};

export class FakeExchange implements Exchange {
  readonly connection: ClientConnection;
  readonly protocol: Protocol;
  readonly startedMs = 0;
  method: string;
  target: string;
  headers: RawHeaders;
  readonly authority: string | undefined;
  readonly connectProtocol: string | undefined;
  grpc = false;
  host = '';
  bodyLength: number;
  upgrade: string | undefined = undefined;
  persistent = false;
  requestId = '';
  client: string;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  upstreamMs = -1;
  rejection: Rejection | undefined = undefined;
  answered = false;
  finished = false;
  /** What was called, in order: `answer 200`, `write 5`, `flush`, `end`, `cut` … */
  readonly calls: string[] = [];
  answerHeaders: RawHeaders = [];
  answerLength = 0;
  body = '';
  trailers: RawHeaders | undefined = undefined;
  carrier: Carrier | undefined = undefined;
  /** For a test that waits for the end of the answer. */
  onEnd: () => void = () => {};

  constructor(request: FakeRequest) {
    const {
      method = 'GET',
      target = '/',
      protocol = 'http/1.1',
      headers = [],
      connection = {},
      bodyLength = 0,
    } = request;
    this.method = method;
    this.target = target;
    this.protocol = protocol;
    this.headers = headers;
    this.authority = request.authority;
    this.connectProtocol = request.connectProtocol;
    this.bodyLength = bodyLength;
    const peerAddress = connection.remoteAddress ?? '192.0.2.7';
    const facts = {
      remoteAddress: peerAddress,
      peerAddress,
      scheme: 'https' as const,
      tls: undefined,
      client: undefined,
    };
    this.connection = { ...facts, ...connection };
    this.client = this.connection.remoteAddress;
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
    this.finished = true;
    this.trailers = trailers;
    this.onEnd();
  }

  cut(): void {
    this.calls.push('cut');
    this.finished = true;
  }

  switchProtocols(): Duplex {
    this.calls.push('switchProtocols');
    return new Duplex();
  }
}
