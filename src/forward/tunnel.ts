// A connection after its 101: bytes both ways, half-closed directions kept, until both ends have closed or one breaks.
// The head was checked before (connection.ts); nothing of either side's bytes is read here.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { endToEnd, fieldValue, type RawHeaders } from '../headers.ts';

/** Answers the client with the app's 101 and joins the two streams. */
export function splice(exchange: Exchange, reason: string, raw: RawHeaders, app: Socket): void {
  const headers = endToEnd(raw, false, new Set());
  headers.push('Connection', 'Upgrade', 'Upgrade', fieldValue(raw, 'upgrade') ?? '');
  const client = exchange.switchProtocols(reason, headers);
  client.on('data', (chunk: Buffer) => {
    exchange.bytesIn += chunk.length;
  });
  app.on('data', (chunk: Buffer) => {
    exchange.bytesOut += chunk.length;
  });
  // Not the hot path: pipe() brings back-pressure, and passes the end of one direction on without closing the other.
  client.pipe(app);
  app.pipe(client);
  app.on('close', () => endWith(client, app));
}

/** The app's side is closed: a clean end lets the client read the rest, a broken one cuts it. */
function endWith(client: Duplex, app: Socket): void {
  if (app.readableEnded && app.writableFinished) return;
  client.destroy();
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
