// A connection after its 101: bytes both ways, half-closed directions kept, until both ends have closed or one breaks.
// The head was checked before; nothing of either side's bytes is read here.

import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { endToEnd, fieldValue, type RawHeaders } from '../http/fields.ts';
import { acceptOf } from '../http/websocket.ts';
import type { Account } from '../net/budget.ts';
import type { ForwarderOptions } from './upstream.ts';

/** The app's side of a tunnel. */
export type TunnelEnd = {
  readonly stream: Duplex;
  /** The client has gone: what it sent may still be on its way, and then this ends. */
  readonly leave: () => void;
};

type TunnelTime = Pick<ForwarderOptions, 'clock' | 'deadlines' | 'limits'>;

/** Answers the client with the app's 101 and joins the two streams. */
export function joinTunnel(exchange: Exchange, reason: string, raw: RawHeaders, app: Duplex): void {
  const headers = endToEnd(raw, false, new Set());
  headers.push('Connection', 'Upgrade', 'Upgrade', fieldValue(raw, 'upgrade') ?? '');
  const client = exchange.switchProtocols(reason, headers);
  // Not the hot path: pipe() brings back-pressure, and passes the end of one direction on without closing the other.
  client.pipe(app);
  app.pipe(client);
  const count = countWaiting(exchange.connection.account, client, app);
  client.on('data', (chunk: Buffer) => {
    exchange.bytesIn += chunk.length;
    count();
  });
  app.on('data', (chunk: Buffer) => {
    exchange.bytesOut += chunk.length;
    count();
  });
  app.on('close', () => endWith(exchange, app));
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

/** The client has gone. The app takes what is left of it, for as long as it may be silent; then the tunnel is cut. */
export function leaveTunnel(end: TunnelEnd, { clock, deadlines, limits }: TunnelTime): void {
  const { stream } = end;
  if (stream.destroyed) return;
  const cut = (): void => void stream.destroy();
  const limit = { deadlineMs: clock() + limits.upstreamTimeoutMs, expire: cut, crashed: cut };
  deadlines.add(limit);
  stream.once('close', () => deadlines.delete(limit));
  end.leave();
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
export function provesHandshake({ protocol, headers }: Exchange, answer: RawHeaders): boolean {
  if (protocol !== 'h2') return true;
  return fieldValue(answer, 'sec-websocket-accept') === acceptOf(fieldValue(headers, 'sec-websocket-key') ?? '');
}
