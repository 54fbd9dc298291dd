// Who a client is by its certificate: what that says, and whether it counts. Pure. OpenSSL has verified the chain; here its
// result is read, and the dates are looked at again, since a resumed session keeps the result of its first handshake.

import type { X509Certificate } from 'node:crypto';
import type { Reason } from '../errors.ts';

/** What a verified certificate says; the same object for as long as its connection lives. */
export type CertificateFacts = {
  /** The name in the log: the first URI, else the subject. */
  readonly name: string;
  /** As RFC 4514 writes it, most specific part first, in ASCII; '' where there is none. */
  readonly subject: string;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly sha256: string;
  readonly commonNames: readonly string[];
  readonly units: readonly string[];
  readonly dns: readonly string[];
  readonly uris: readonly string[];
};

export type CertificateReason = Extract<Reason, `client_certificate_${string}`>;

/** The client of a connection, where a certificate is asked for. */
export type ClientIdentity =
  | { readonly kind: 'verified'; readonly certificate: CertificateFacts }
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: CertificateReason };

export type Presented = {
  /** Undefined: the client has none. */
  readonly certificate: X509Certificate | undefined;
  /** OpenSSL's result for the chain as Node names it, `CERT_HAS_EXPIRED`; '' for a chain that is good. */
  readonly verifyError: string;
};

const NONE: ClientIdentity = { kind: 'none' };

export function identify(
  { certificate, verifyError }: Presented,
  now: Date,
  revoked: (certificate: X509Certificate) => boolean = () => false,
): ClientIdentity {
  // First: Node 20 calls a session without a certificate authorized when TLS 1.3 resumes it.
  if (certificate === undefined) return NONE;
  if (verifyError !== '') return { kind: 'refused', reason: reasonOf(verifyError) };
  if (new Date(certificate.validTo) <= now) return { kind: 'refused', reason: 'client_certificate_expired' };
  if (new Date(certificate.validFrom) > now) return { kind: 'refused', reason: 'client_certificate_not_yet_valid' };
  if (revoked(certificate)) return { kind: 'refused', reason: 'client_certificate_revoked' };
  return { kind: 'verified', certificate: factsOf(certificate) };
}

const REASONS: Readonly<Record<string, CertificateReason>> = {
  CERT_HAS_EXPIRED: 'client_certificate_expired',
  CERT_NOT_YET_VALID: 'client_certificate_not_yet_valid',
  INVALID_PURPOSE: 'client_certificate_purpose',
  UNABLE_TO_GET_ISSUER_CERT: 'client_certificate_untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'client_certificate_untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'client_certificate_untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'client_certificate_untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'client_certificate_untrusted',
  CERT_SIGNATURE_FAILURE: 'client_certificate_untrusted',
  CERT_REVOKED: 'client_certificate_revoked',
  UNABLE_TO_GET_CRL: 'client_certificate_unchecked',
  UNABLE_TO_GET_CRL_ISSUER: 'client_certificate_unchecked',
  CRL_HAS_EXPIRED: 'client_certificate_unchecked',
  CRL_NOT_YET_VALID: 'client_certificate_unchecked',
  CRL_SIGNATURE_FAILURE: 'client_certificate_unchecked',
  CERT_UNTRUSTED: 'client_certificate_untrusted',
  CERT_REJECTED: 'client_certificate_untrusted',
};

/** The one reason of a rejection for each of OpenSSL's verify errors. */
export function reasonOf(verifyError: string): CertificateReason {
  return (Object.hasOwn(REASONS, verifyError) ? REASONS[verifyError] : undefined) ?? 'client_certificate_invalid';
}

export function factsOf(certificate: X509Certificate): CertificateFacts {
  // The legacy object has each value as it is; the text of a subject would have to be taken apart again.
  const { CN, OU } = certificate.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>;
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const subject = subjectOf(certificate);
  const uris = names.filter(([kind]) => kind === 'URI').map(([, value]) => value);
  return {
    name: uris[0] ?? subject,
    subject,
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    commonNames: plain(CN),
    units: plain(OU),
    dns: names.filter(([kind]) => kind === 'DNS').map(([, value]) => value),
    uris,
  };
}

/** Node writes a line for each part, from the root down, escaped as RFC 4514 (RFC 2253) asks, in UTF-8. */
export function subjectOf(certificate: X509Certificate): string {
  const parts = (certificate.subject ?? '').split('\n').reverse();
  return parts
    .join(',')
    .replaceAll(' + ', '+')
    .replaceAll(/[^ -~]/gu, escapeByte);
}

function escapeByte(character: string): string {
  return Buffer.from(character)
    .toString('hex')
    .toUpperCase()
    .replaceAll(/../g, (byte) => `\\${byte}`);
}

/** Names that could be read as another one, or as two, do not count. */
const AMBIGUOUS = /["\\,\p{Cc}]/u;

function plain(values: string | readonly string[] | undefined): string[] {
  return [values ?? []].flat().filter((value) => value !== '' && !AMBIGUOUS.test(value));
}

/**
 * Kind and value of each subject alternative name in Node's text of them. Since CVE-2021-44532 a value that holds a
 * quote, a comma or anything beyond printable ASCII is written as a JSON string: it is left out. Text of another form
 * ends the list: what cannot be read with certainty does not count.
 */
function alternativeNames(text: string): [kind: string, value: string][] {
  const names: [string, string][] = [];
  const entry = /([^:,"]+):(?:("(?:[^"\\]|\\.)*")|([^,"\\]*))(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const found = entry.exec(text);
    if (found === null) return [];
    const [, kind = '', quoted, value = ''] = found;
    if (quoted === undefined && value !== '') names.push([kind, value]);
  }
  return names;
}
