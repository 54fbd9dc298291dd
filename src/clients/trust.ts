// The CAs that must have issued client certificates: reads and checks the file of --client-ca, and takes it whole or not at
// all; what is wrong with it is a BundleError that names it. It verifies no certificate: OpenSSL does.

import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { parseCertificate } from '../identity/bundle.ts';
import { BundleError } from '../identity/bundle-error.ts';
import { readFile } from '../identity/files.ts';
import { certificateBlocks } from '../identity/pem/text.ts';

export type Trust = {
  /** PEM, one block a certificate, without the text between them. */
  readonly ca: string;
  readonly certificates: readonly TrustedCertificate[];
  /** SHA-256 of `ca`, lower-case hex. */
  readonly digest: string;
};

export type TrustedCertificate = { readonly subject: string; readonly notBefore: Date; readonly notAfter: Date };

/** Throws a BundleError. Dates are reported, not checked: OpenSSL does that in every handshake. */
export function readTrust(path: string): Trust {
  const bytes = readFile(path, path);
  if (bytes.toString('utf8').trim() === '')
    throw new BundleError('empty', `${path} is empty; it must hold the CA of the clients (--client-ca)`);
  const blocks = certificateBlocks(path, bytes);
  const certificates = blocks.map((block, at) => readAuthority(path, block, at));
  const ca = [...new Set(blocks)].map((block) => `${block}\n`).join('');
  try {
    createSecureContext({ ca });
  } catch (cause) {
    throw new BundleError('rejected', `OpenSSL does not accept the certificates in ${path}`, { cause });
  }
  return { ca, certificates, digest: createHash('sha256').update(ca).digest('hex') };
}

function readAuthority(path: string, block: string, at: number): TrustedCertificate {
  const certificate = parseCertificate(path, block, at);
  const subject = certificate.subject?.replaceAll('\n', ', ') ?? '';
  // A leaf in the file would admit nobody but itself, which the operator cannot have meant.
  if (!certificate.ca)
    throw new BundleError(
      'not_a_ca',
      `certificate ${at + 1} in ${path} (${subject || 'no subject'}) is not of a CA; put there what issues the clients' certificates`,
    );
  return { subject, notBefore: new Date(certificate.validFrom), notAfter: new Date(certificate.validTo) };
}
