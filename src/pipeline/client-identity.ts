// Who the client is by its certificate: whether it is admitted, and how the app is told. A refused certificate, or with
// allow rules none that matches, is a 403. The verdict is asked for with every request, so that new rules hold at once;
// it is remembered, so that this costs a look-up. It verifies nothing itself.

import type { Admission } from '../clients/allow.ts';
import type { Peer } from '../clients/peer.ts';
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';

export function clientIdentity(admission: Admission) {
  return {
    name: 'clientIdentity',
    apply({ connection: { client } }: Exchange): Rejection | undefined {
      if (client?.kind === 'refused') return REJECTIONS[client.reason];
      if (!admission.restricted) return undefined;
      if (client?.kind !== 'verified') return REJECTIONS.client_certificate_missing;
      return admission.admits(client.peer) ? undefined : REJECTIONS.client_not_allowed;
    },
  };
}

const NAME = 'X-Forwarded-Client-Cert';
const SPELLINGS = /^x[^a-z0-9]forwarded[^a-z0-9]client[^a-z0-9]cert$/i;

/** Removes every copy of the field that a client or a balancer sent, and sets ours where there is a verified certificate. */
export const clientCertificate = {
  name: 'clientCertificate',
  apply(exchange: Exchange): undefined {
    const { client } = exchange.connection;
    if (isNamed(exchange.headers)) exchange.headers = without(exchange.headers);
    if (client?.kind === 'verified') exchange.headers.push(NAME, certificateField(client.peer));
  },
};

function isNamed(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isName(headers[i] as string)) return true;
  return false;
}

function without(headers: RawHeaders): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isName(headers[i] as string)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}

function isName(name: string): boolean {
  return name.length === NAME.length && SPELLINGS.test(name);
}

const written = new WeakMap<Peer, string>();

/** Envoy's format: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert */
export function certificateField(peer: Peer): string {
  const known = written.get(peer);
  if (known !== undefined) return known;
  // The subject is always quoted; its own quotes are escaped in it already, as RFC 4514 asks.
  const pairs = [`Hash=${peer.sha256}`, `Subject="${peer.subject}"`];
  for (const uri of peer.uris) pairs.push(`URI=${quoted(uri)}`);
  for (const name of peer.dns) pairs.push(`DNS=${quoted(name)}`);
  const field = pairs.join(';');
  written.set(peer, field);
  return field;
}

/** Alternative names hold neither quotes nor commas nor backslashes: identity/peer.ts leaves such out. */
function quoted(value: string): string {
  return /[;=]/.test(value) ? `"${value}"` : value;
}
