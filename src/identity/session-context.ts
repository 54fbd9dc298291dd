// What a TLS session depends on, as the session id context that OpenSSL compares before it resumes one. Pure.

import { createHash } from 'node:crypto';

/** A digest of whatever a session depends on: OpenSSL takes at most 32 bytes. */
export function sessionContextOf(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
