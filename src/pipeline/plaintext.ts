// A request that came without TLS is refused, with an answer that says why, or redirected to the same URL with https.
// With --plaintext forward neither policy is in the list.

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

/** Runs after the request rules: only a Host and a target that they let through stand in the answer. */
export const redirectPlaintext = {
  name: 'plaintext',
  apply({ connection, host, target }: Exchange): Rejection | undefined {
    if (connection.scheme !== 'http') return undefined;
    // HTTP/1.0 may leave it out; then there is no URL to redirect to.
    if (host === '') return REJECTIONS.bad_host;
    // OPTIONS of the server as a whole has no URL.
    return target === '*' ? REJECTIONS.plaintext : REJECTIONS.plaintext_redirect;
  },
};

/** The client's own URL with https, byte for byte. A missing port meant 80, so it is written: https would take 443. */
export function redirectTarget({ host, target }: Exchange): string {
  return `https://${host}${portOf(host) === '' ? ':80' : ''}${target}`;
}
