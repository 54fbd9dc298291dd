// What an exchange of HTTP/2 has to do with time: until when its client has to move something, and how it ends when that is
// over. When the client owes, the exchange itself says.

import { REJECTIONS } from '../../errors.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import { isMeasured } from '../body-rate.ts';
import { ExchangeState, type ReceivedRequest } from '../exchange-state.ts';
import type { Http2Connection } from './connection.ts';
import type { FirstMessage } from './first-message.ts';
import { StreamDeadline } from './stream-deadline.ts';

export abstract class TimedExchange extends ExchangeState {
  declare readonly connection: Http2Connection;
  protected readonly stream: H2Stream;
  /** What was written waits for the client. */
  protected blocked = false;
  /** The request is none, or not what its head said: its stream is reset behind the answer (RFC 9113 section 8.1.1). */
  broken = false;
  protected deadline: StreamDeadline | undefined = undefined;
  /** Of a call of gRPC, until it is whole or the app has answered. */
  protected firstMessage: FirstMessage | undefined = undefined;

  constructor(connection: Http2Connection, stream: H2Stream, startedMs: number, request: ReceivedRequest) {
    super(connection, startedMs, request);
    this.stream = stream;
  }

  get deadlineMs(): number {
    return this.deadline?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  expire(nowMs: number): void {
    this.count();
    // The socket's progress is that of all who wait for it.
    const waits = (this.blocked || this.ended) && this.stream.sendWindow > 0;
    const renewedMs = waits ? this.connection.socketDeadline() : 0;
    if (this.deadline?.due(nowMs, renewedMs, isMeasured(this, this.silent)) !== true) return;
    this.rest();
    this.break('client_timeout');
  }

  /** A call that has begun to speak may be silent for hours. */
  protected get silent(): boolean {
    return this.grpc && (this.answered || this.firstMessage?.whole === true);
  }

  get lags(): boolean {
    this.count();
    return isMeasured(this, this.silent) && this.deadline?.lags(this.connection.options.clock()) === true;
  }

  /** The client owes a byte, and its time begins anew. */
  protected owe(): void {
    const { clock, limits } = this.connection.options;
    this.deadline ??= new StreamDeadline(limits);
    this.deadline.owe(clock());
  }

  protected rest(): void {
    this.deadline?.rest(this.connection.options.clock());
  }

  /** What the client let us send of the answer counts as taken. */
  protected count(): void {
    this.deadline?.took(this.bytesOut - this.stream.pendingBytes, this.blocked);
  }

  /** What is held of it while it waits for the app; 0 where it does not wait. */
  get waitingBytes(): number {
    return this.carrier === undefined ? this.stream.heldBytes : 0;
  }

  /** There is no room for what it waits with. */
  exceeded(): void {
    if (this.finished) return;
    this.rest();
    this.break('client_over_share');
  }

  protected break(reason: 'bad_body' | 'client_timeout' | 'client_over_share'): void {
    if (reason === 'bad_body') this.broken = true;
    this.letCarrierGo();
    if (this.ended) this.cut();
    else this.connection.options.handler.fail(this, REJECTIONS[reason]);
  }
}
