// What becomes of a request that came without TLS: it is refused, in words that the client can read, or sent to the
// same place with https. Where plain HTTP is served, neither policy stands in the list.

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { portOf } from './authority.ts';

export type PlaintextMode = 'reject' | 'redirect' | 'forward';

export const refusePlaintext = {
  name: 'plaintext',
  apply({ connection }: Exchange): Rejection | undefined {
    return connection.scheme === 'http' ? REJECTIONS.plaintext : undefined;
  },
};

/** Relies on the gate: only a Host and a target that it let through stand in the answer. */
export const redirectPlaintext = {
  name: 'plaintext',
  apply({ connection, host, target }: Exchange): Rejection | undefined {
    if (connection.scheme !== 'http') return undefined;
    // HTTP/1.0 may leave it out, and then there is no place to send to.
    if (host === '') return REJECTIONS.bad_host;
    // OPTIONS of the server as a whole has no URL.
    return target === '*' ? REJECTIONS.plaintext : REJECTIONS.plaintext_redirect;
  },
};

/** The client's own URL with https, byte for byte. Without a port http meant 80, and https would mean another one. */
export function redirectTarget({ host, target }: Exchange): string {
  return `https://${host}${portOf(host) === '' ? ':80' : ''}${target}`;
}
