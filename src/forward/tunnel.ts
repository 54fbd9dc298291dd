// A connection after its 101: bytes both ways, half-closed directions kept, until both ends have closed or one breaks. The head
// was checked before. Of the bytes nothing is read but where the frames of a WebSocket end: at a drain both sides are told by
// a frame of ours that nothing follows.

import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { endToEnd, fieldValue, type RawHeaders } from '../http/fields.ts';
import { acceptOf } from '../http/websocket.ts';
import type { Account } from '../net/budget.ts';
import { Direction } from './direction.ts';
import type { ForwarderOptions } from './upstream.ts';

/** The app's side of a tunnel. */
export type TunnelEnd = {
  readonly stream: Duplex;
  /** The client has gone: what it sent may still be on its way, and then this ends. */
  readonly leave: () => void;
};

type TunnelTime = Pick<ForwarderOptions, 'clock' | 'deadlines' | 'limits'>;

/** For the other side to answer a closing frame. */
const CLOSING_MS = 2000;

export class Tunnel {
  readonly #exchange: Exchange;
  readonly #app: TunnelEnd;
  readonly #time: TunnelTime;
  readonly #directions: readonly Direction[];
  #ending = false;

  constructor(exchange: Exchange, client: Duplex, app: TunnelEnd, time: TunnelTime) {
    this.#exchange = exchange;
    this.#app = app;
    this.#time = time;
    const framed = exchange.upgrade?.toLowerCase() === 'websocket';
    this.#directions = [
      new Direction({ source: client, sink: app.stream, framed, exchange, counted: 'bytesIn' }),
      new Direction({ source: app.stream, sink: client, framed, exchange, counted: 'bytesOut' }),
    ];
    const count = countWaiting(exchange.connection.account, client, app.stream);
    client.on('data', count);
    app.stream.on('data', count);
    app.stream.on('close', () => endWith(exchange, app.stream));
  }

  /** A WebSocket is closed in both directions, and then has a moment to end; of other protocols nothing is known. */
  depart(): void {
    for (const direction of this.#directions) direction.close(() => this.#closing());
  }

  /** The client has gone. The app takes what is left of it, for as long as it may be silent; then the tunnel is cut. */
  leave(): void {
    if (this.#app.stream.destroyed) return;
    this.#limit(this.#time.limits.upstreamTimeoutMs);
    this.#app.leave();
  }

  /** RFC 6455 section 7.1.1: once both have said that nothing follows, the server closes; towards the app we are none. */
  #closing(): void {
    if (!this.#directions.every(({ closed }) => closed)) return;
    if (!this.#ending) this.#limit(CLOSING_MS);
    this.#ending = true;
    for (const direction of this.#directions) if (direction.answered) direction.endSource();
  }

  #limit(ms: number): void {
    const { clock, deadlines } = this.#time;
    const { stream } = this.#app;
    const cut = (): void => {
      this.#exchange.cut();
      stream.destroy();
    };
    const limit = { deadlineMs: clock() + ms, expire: cut, crashed: cut };
    deadlines.add(limit);
    stream.once('close', () => deadlines.delete(limit));
  }
}

/** Answers the client with the app's 101 and joins the two streams. Undefined: the app did not read our handshake. */
export function joinTunnel(
  exchange: Exchange,
  { reason, raw, app }: { readonly reason: string; readonly raw: RawHeaders; readonly app: TunnelEnd },
  time: TunnelTime,
): Tunnel | undefined {
  if (!provesHandshake(exchange, raw)) {
    app.stream.destroy();
    return undefined;
  }
  exchange.upstreamMs = time.clock() - exchange.startedMs;
  const headers = endToEnd(raw, false, new Set());
  headers.push('Connection', 'Upgrade', 'Upgrade', fieldValue(raw, 'upgrade') ?? '');
  return new Tunnel(exchange, exchange.switchProtocols(reason, headers), app, time);
}

/** Counts what both ends have been given and have not taken, whenever that is called, and as they take it. */
function countWaiting(account: Account, ...ends: readonly Duplex[]): () => void {
  let counted = 0;
  const count = (): void => {
    let waiting = 0;
    for (const end of ends) if (!end.destroyed) waiting += end.writableLength;
    account.count(waiting - counted);
    counted = waiting;
  };
  for (const end of ends) end.on('drain', count).on('close', count);
  return count;
}

/** The app's side is closed: a clean end lets the client read the rest, a broken one cuts it. */
function endWith(exchange: Exchange, app: Duplex): void {
  if (app.readableEnded && app.writableFinished) return;
  exchange.cut();
}

/** Whether a 101 changes to the protocol that was asked for, in one unmistakable field (RFC 9110 section 15.2.2). */
export function agreesTo(upgrade: string | undefined, headers: RawHeaders): boolean {
  let agreed = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name === 'content-length' || name === 'transfer-encoding') return false;
    if (name !== 'upgrade') continue;
    if ((headers[i + 1] as string).toLowerCase() !== upgrade?.toLowerCase()) return false;
    agreed++;
  }
  return agreed === 1;
}

/**
 * Whether the app proved that it read our handshake (RFC 6455 section 4.1). A client of HTTP/1.1 made its own key and
 * looks for itself; for one of HTTP/2 nobody but us knows it.
 */
function provesHandshake({ protocol, headers }: Exchange, answer: RawHeaders): boolean {
  if (protocol !== 'h2') return true;
  return fieldValue(answer, 'sec-websocket-accept') === acceptOf(fieldValue(headers, 'sec-websocket-key') ?? '');
}
