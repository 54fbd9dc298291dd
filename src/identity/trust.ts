// Whom client certificates must be issued by: reads and checks the file of --client-ca. Whatever is wrong with it is a
// BundleError that names the file; nothing of it is taken in part. It verifies no certificate: OpenSSL does.

import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { BundleError } from './bundle.ts';
import { readFile } from './files.ts';

export type Trust = {
  /** PEM, one block a certificate, without the text between them. */
  readonly ca: string;
  readonly certificates: readonly TrustedCertificate[];
  /** SHA-256 of `ca`, lower-case hex. */
  readonly digest: string;
};

export type TrustedCertificate = { readonly subject: string; readonly notBefore: Date; readonly notAfter: Date };

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Throws a BundleError. Dates are told, not judged: OpenSSL looks at them in every handshake. */
export function readTrust(path: string): Trust {
  const text = readFile(path, path).toString('utf8');
  if (text.trim() === '')
    throw new BundleError('empty', `${path} is empty; it must hold the CA of the clients (--client-ca)`);
  const blocks = text.match(CERTIFICATE) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  if (begun === 0)
    throw new BundleError('no_certificate', `${path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)`);
  if (begun !== blocks.length)
    throw new BundleError('malformed_certificate', `${path} is cut off: a certificate has no end line`);
  const certificates = blocks.map((block, i) => readAuthority(path, block, i + 1));
  const ca = [...new Set(blocks)].map((block) => `${block}\n`).join('');
  try {
    createSecureContext({ ca });
  } catch (cause) {
    throw new BundleError('rejected', `OpenSSL does not accept the certificates in ${path}`, { cause });
  }
  return { ca, certificates, digest: createHash('sha256').update(ca).digest('hex') };
}

function readAuthority(path: string, block: string, number: number): TrustedCertificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(block);
  } catch (cause) {
    throw new BundleError('malformed_certificate', `certificate ${number} in ${path} cannot be read`, { cause });
  }
  const subject = certificate.subject?.replaceAll('\n', ', ') ?? '';
  // A leaf in the file would be trusted for itself, and for nothing that the operator can have meant.
  if (!certificate.ca)
    throw new BundleError(
      'not_a_ca',
      `certificate ${number} in ${path} (${subject || 'no subject'}) is not of a CA; put there what issues the clients' certificates`,
    );
  return { subject, notBefore: new Date(certificate.validFrom), notAfter: new Date(certificate.validTo) };
}
