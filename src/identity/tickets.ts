// Session ticket keys. Node makes new random ones with every secure context, which would end all resumption at every
// rotation of the certificate; so they are made once here and given to each context.

import { randomBytes } from 'node:crypto';

/** 48 bytes, as tls.Server takes them. */
export function createTicketKeys(): Buffer {
  return randomBytes(48);
}
