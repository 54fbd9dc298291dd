// One HTTP/2 connection of a client: streams in, exchanges out. Keeps the deadlines, looks whether the client is still
// there, and ends it with GOAWAY. What the pseudo fields say becomes the exchange's method, target and authority; every
// judgement on them is the pipeline's.

import type { Duplex } from 'node:stream';
import type { ClientIdentity } from '../../clients/certificate.ts';
import { REJECTIONS } from '../../errors.ts';
import type { ClientConnection, TlsFacts } from '../../exchange.ts';
import { Code } from '../../http/h2/frames.ts';
import { H2Session } from '../../http/h2/session.ts';
import { Cost, type SessionOwner } from '../../http/h2/session-owner.ts';
import { SETTINGS_TIMEOUT_MS } from '../../http/h2/settings.ts';
import type { Field } from '../../http/hpack/field.ts';
import type { Account } from '../../net/budget.ts';
import { ignoreError } from '../../net/guard.ts';
import { ClientReads } from '../client-reads.ts';
import { IdlePlace, type OpenConnection } from '../connections.ts';
import { crashExchange } from '../exchange-state.ts';
import type { ClientFacts } from '../http1/options.ts';
import { DEPARTURE_MARK, Departure } from './departure.ts';
import { Http2Exchange } from './exchange.ts';
import { Floods } from './floods.ts';
import { HeadDeadline } from './head-deadline.ts';
import { type Http2Options, reasonOf } from './options.ts';
import { shedLargest } from './overload.ts';
import { Probe } from './probe.ts';
import { isRefused, NO_REQUEST, RequestFields } from './request.ts';
import { firstRequestMs, MAX_STREAMS, sessionOptions } from './session-options.ts';
import { earliest, NEVER } from './stream-deadline.ts';

export class Http2Connection implements ClientConnection, OpenConnection, SessionOwner {
  readonly protocol = 'h2';
  readonly idlePlace = new IdlePlace(this);
  readonly scheme = 'https';
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly client: ClientIdentity | undefined;
  readonly account: Account;
  readonly #socket: Duplex;
  readonly options: Http2Options;
  readonly #session: H2Session;
  readonly #floods: Floods;
  readonly #departure: Departure;
  readonly #exchanges = new Set<Http2Exchange>();
  readonly fields: RequestFields;
  /** Each is when something has to have come, or NEVER. */
  #idleMs: number;
  #settingsMs: number;
  readonly #head: HeadDeadline;
  readonly #probe: Probe;
  /** When the socket has taken something. */
  #takenMs: number;

  constructor(socket: Duplex, facts: ClientFacts, options: Http2Options) {
    this.#socket = socket;
    this.options = options;
    this.remoteAddress = facts.remoteAddress;
    this.peerAddress = facts.peerAddress;
    this.tls = facts.tls;
    this.client = facts.client;
    this.account = facts.account;
    const { clock, limits } = options;
    this.fields = new RequestFields(limits);
    this.#floods = new Floods(clock);
    this.#head = new HeadDeadline(clock, limits.headerTimeoutMs);
    this.#takenMs = clock();
    this.#idleMs = clock() + firstRequestMs(limits, options.connections.draining);
    this.#settingsMs = clock() + SETTINGS_TIMEOUT_MS;
    this.#session = new H2Session(socket, this, sessionOptions(limits, facts.account));
    this.#departure = new Departure(socket, this.#session, {
      clock,
      lingerMs: limits.lingerMs,
      inFlight: () => this.#exchanges.size,
      takingMs: () => this.#takenMs + limits.clientTimeoutMs,
    });
    this.#probe = new Probe(limits.clientTimeoutMs / 2, this.#session.out.writer);
    options.connections.add(this);
    options.connections.idle(this);
    new ClientReads(socket, (chunk) => this.#read(chunk));
    // A client that ends its direction has left. A close always follows on an error.
    socket.on('end', () => socket.destroy()).on('error', ignoreError);
    socket.on('close', () => this.#closed()).resume();
  }

  // ---- OpenConnection

  get deadlineMs(): number {
    const { deadlineMs, closing, begun } = this.#departure;
    if (closing) return deadlineMs;
    const least = Math.min(this.#head.deadlineMs, this.#settingsMs, deadlineMs);
    if (this.#exchanges.size === 0) return begun ? least : Math.min(least, this.#idleMs);
    return earliest(this.#exchanges, Math.min(least, this.#probe.deadlineMs));
  }

  expire(): void {
    const nowMs = this.options.clock();
    if (this.#departure.deadlineMs <= nowMs) this.#departure.expire();
    if (this.#departure.closing) return;
    if (this.#settingsMs <= nowMs) return this.#session.fail(Code.settingsTimeout, 'SETTINGS were not acknowledged');
    if (this.#head.passed) return this.#session.fail(Code.enhanceYourCalm, 'a frame or a head was not whole in time');
    if (this.#exchanges.size === 0) return void (this.#idleMs <= nowMs && this.retire());
    for (const exchange of this.#exchanges) if (exchange.deadlineMs <= nowMs) exchange.expire(nowMs);
    if (this.#probe.deadlineMs <= nowMs && !this.#probe.expire(nowMs)) this.destroy();
  }

  /** A client that has asked nothing yet hears of it with its first request: else it would have connected for nothing. */
  announce(): void {
    if (this.#session.lastId > 0) this.#departure.begin();
  }

  drain(): void {
    this.#departure.begin();
    for (const exchange of this.#exchanges) exchange.carrier?.depart();
  }

  /** What is in flight finishes, and then the connection closes. */
  retire(): void {
    this.#departure.begin();
  }

  revoke(): void {
    if (this.client === undefined || this.client.kind === 'none') return;
    this.retire();
    for (const exchange of this.#exchanges) if (exchange.connectProtocol !== undefined) exchange.cut();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** A defect of ours ends this connection, and nothing else. */
  crashed(error: unknown): void {
    this.options.handler.crashed(undefined, error);
    this.destroy();
  }

  /** A defect on behalf of one exchange ends that; what it has left behind here, nobody knows, so the connection goes, too. */
  exchangeCrashed(exchange: Http2Exchange, error: unknown): void {
    crashExchange(exchange, error, this.options.handler);
    this.retire();
  }

  // ---- for its exchanges

  /** Until when the socket has to take something more; 0 where the client's window holds all up. */
  socketDeadline(): number {
    return this.#session.out.hasWindow ? this.#takenMs + this.options.limits.clientTimeoutMs : 0;
  }

  countReset(): void {
    this.#session.spend(Cost.reset, 'resets');
  }

  finished(exchange: Http2Exchange): void {
    const { clock, limits, handler, connections } = this.options;
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) {
      this.#idleMs = clock() + limits.idleTimeoutMs;
      connections.idle(this);
    }
    handler.finished(exchange);
    this.#departure.closeIfDone();
  }

  // ---- SessionOwner

  opened(id: number, fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    const { clock, handler } = this.options;
    if (this.#exchanges.size >= MAX_STREAMS) return this.#refuse(id);
    const request = this.fields.read(fields, overflowed, ended);
    const refused = isRefused(request) ? request : undefined;
    const known = isRefused(request) ? NO_REQUEST : request;
    const nowMs = clock();
    const stream = this.#session.open(id);
    stream.remoteEnded = ended;
    stream.urgency = known.urgency;
    const exchange = new Http2Exchange(this, stream, nowMs, known);
    stream.attach(exchange);
    if (this.#exchanges.size === 0) {
      this.#probe.start(nowMs);
      this.options.connections.busy(this);
    }
    if (this.options.connections.announced) this.#departure.begin();
    this.#exchanges.add(exchange);
    if (refused === undefined && !this.account.exceeded) return handler.handle(exchange);
    exchange.broken = refused?.broken === true;
    handler.refuse(exchange, REJECTIONS[refused?.reason ?? 'client_over_share']);
  }

  /** RFC 9113 section 5.1.2; a client may repeat it elsewhere or later. */
  #refuse(id: number): void {
    this.#session.refuse(id, Code.refusedStream);
    if (this.#settingsMs === NEVER || !this.#floods.early()) this.countReset();
  }

  acknowledged(): void {
    this.#settingsMs = NEVER;
  }

  pong(mark: number): void {
    if (mark === DEPARTURE_MARK) this.#departure.heard();
  }

  goaway(): void {
    this.#departure.clientLeaves();
  }

  choked(): boolean {
    return shedLargest(this.#exchanges);
  }

  spend(cost: Cost): boolean {
    return this.#floods.spend(cost);
  }

  failed(code: Code, words: string): void {
    this.options.sessionFailed(reasonOf(code, this.#head.passed), words, this.remoteAddress);
    this.#departure.close();
  }

  written(): void {
    this.#takenMs = this.options.clock();
    if (this.#session.out.writer.unsent > 0) this.#probe.heard();
  }

  // ---- reading

  #read(chunk: Buffer): void {
    this.#probe.heard();
    try {
      this.#session.read(chunk);
    } catch (error) {
      this.crashed(error);
    }
    this.#head.awaits(this.#session.unfinished);
  }

  // ---- ends

  #closed(): void {
    this.options.connections.delete(this);
    try {
      this.#session.close(Code.cancel);
    } catch (error) {
      this.crashed(error);
    }
    this.account.close();
  }
}
