// Who the client is by its certificate: whether it is admitted, and how the app is told. A refused certificate, or with
// allow rules one that none matches, is a 403. Admission is asked for with every request, so that new rules hold at once;
// it remembers its answers, so that this costs a look-up. Nothing is verified here.

import type { Admission } from '../clients/allow.ts';
import type { CertificateFacts } from '../clients/certificate.ts';
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import { Derived } from '../http/repeats.ts';

export function clientIdentity(admission: Admission) {
  return {
    name: 'clientIdentity',
    apply({ connection: { client } }: Exchange): Rejection | undefined {
      if (client?.kind === 'refused') return REJECTIONS[client.reason];
      if (!admission.restricted) return undefined;
      if (client?.kind !== 'verified') return REJECTIONS.client_certificate_missing;
      return admission.admits(client.certificate) ? undefined : REJECTIONS.client_not_allowed;
    },
  };
}

const NAME = 'X-Forwarded-Client-Cert';
/** Lists without any copy of it. */
const UNNAMED = new Derived<true>();
const SPELLINGS = /^x[^a-z0-9]forwarded[^a-z0-9]client[^a-z0-9]cert$/i;

/** Removes every copy of the field that a client or a balancer sent, and sets ours where there is a verified certificate. */
export const clientCertificate = {
  name: 'clientCertificate',
  apply(exchange: Exchange): undefined {
    const { headers, connection, added } = exchange;
    const { client } = connection;
    if (UNNAMED.of(headers) !== true) {
      if (isNamed(headers)) exchange.headers = without(headers);
      else UNNAMED.set(headers, true);
    }
    if (client?.kind === 'verified') added.push(NAME, certificateField(client.certificate));
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

const written = new WeakMap<CertificateFacts, string>();

/** Envoy's format: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert */
export function certificateField(certificate: CertificateFacts): string {
  const known = written.get(certificate);
  if (known !== undefined) return known;
  // The subject is always quoted; its own quotes are escaped in it already, as RFC 4514 asks.
  const pairs = [`Hash=${certificate.sha256}`, `Subject="${certificate.subject}"`];
  for (const uri of certificate.uris) pairs.push(`URI=${quoted(uri)}`);
  for (const name of certificate.dns) pairs.push(`DNS=${quoted(name)}`);
  const field = pairs.join(';');
  written.set(certificate, field);
  return field;
}

/** Alternative names hold neither quotes nor commas nor backslashes: clients/certificate.ts leaves such out. */
function quoted(value: string): string {
  return /[;=]/.test(value) ? `"${value}"` : value;
}
