// Session ticket keys. Node makes new random ones with every secure context, which would end all resumption at every
// rotation of the certificate; so they are made here and given to each context. Node holds one set: when it is replaced,
// tickets of the old one are no longer accepted, and their clients make one full handshake.

import { randomBytes } from 'node:crypto';

/**
 * How long one set is used: whoever learns it can read what was resumed with it (RFC 9325 section 7.4). A ticket lives for
 * two hours (tls-options.ts), so that a new set costs one full handshake to those clients only that come back with a
 * ticket of the last two hours before it.
 */
export const TICKET_KEYS_MS = 12 * 3_600_000;

/** 48 bytes, as tls.Server takes them. */
export function createTicketKeys(): Buffer {
  return randomBytes(48);
}
