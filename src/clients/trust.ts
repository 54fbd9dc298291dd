// The CAs that must have issued client certificates: reads and checks the file of --client-ca, and takes it whole or not at
// all; what is wrong with it is a BundleError that names it. It verifies no certificate: OpenSSL does.

import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { parseCertificate } from '../identity/bundle.ts';
import { BundleError } from '../identity/bundle-error.ts';
import { isExpired } from '../identity/dates.ts';
import { readFile } from '../identity/files.ts';
import { certificateBlocks } from '../identity/pem/text.ts';
import { namesOf, type Revocations, readRevocations } from './revocations.ts';

export type Trust = {
  /** PEM, one block a certificate, without the text between them. */
  readonly ca: string;
  readonly certificates: readonly TrustedCertificate[];
  readonly revocations: Revocations | undefined;
  /** Of `ca`, of the lists, and of whether one has expired: differs when clients are judged in another way. */
  readonly digest: string;
};

export type TrustFiles = {
  readonly ca: string;
  readonly crl: string | undefined;
  readonly now: Date;
  /** What was read last. */
  readonly before?: Trust | undefined;
};

export type TrustedCertificate = {
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The subject (DER), hex: by which a revocation list names its issuer. */
  readonly name: string;
};

/** Throws a BundleError. Dates are reported, not checked: OpenSSL does that in every handshake. */
export function readTrust({ ca: path, crl, now, before }: TrustFiles): Trust {
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
  const revocations = crl === undefined ? undefined : readRevocations(crl, before?.revocations);
  const lists = revocations === undefined ? '' : revocations.digest + hasExpired(revocations, now);
  return { ca, certificates, revocations, digest: createHash('sha256').update(ca).update(lists).digest('hex') };
}

/** Whether one of the lists is over. */
export function hasExpired({ lists }: Revocations, now: Date): boolean {
  return lists.some((list) => isExpired(list, now));
}

/** Whether somebody whom `before` let in may be refused by `after`: another CA, or more who were revoked. */
export function isStricter(before: Trust, after: Trust): boolean {
  if (before.ca !== after.ca) return true;
  const known = before.revocations?.entries;
  return [...(after.revocations?.entries ?? [])].some((entry) => known?.has(entry) !== true);
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
  const { subject: name } = namesOf(certificate);
  return { subject, name, notBefore: new Date(certificate.validFrom), notAfter: new Date(certificate.validTo) };
}
