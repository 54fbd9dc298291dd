// PEM text to a checked pair: certificates that parse, a key that is strong enough and belongs to the leaf, and the
// facts that log, metrics and `check` tell. Pure: it reads no file and no clock.

import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { BundleError } from './bundle-error.ts';
import { type Chain, orderChain } from './pem/chain.ts';
import { certificateBlocks, keyBlock } from './pem/text.ts';

/** Why a pair that is served needs attention; the reason is that of its log line. */
export type BundleWarning = {
  readonly reason: 'chain_mended' | 'chain_strays' | 'unusual_key' | 'no_names' | 'not_for_servers' | 'subpath_mount';
  readonly text: string;
};

export type Bundle = {
  /** The PEM chain, leaf first. */
  readonly cert: string;
  readonly key: string;
  readonly subject: string;
  readonly issuer: string;
  /** As `DNS:example.com, IP Address:127.0.0.1`; empty when the certificate names none. */
  readonly names: string;
  readonly serial: string;
  /** SHA-256 of the leaf, lower-case hex. */
  readonly sha256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** As `ec prime256v1` or `rsa 2048`. */
  readonly keyKind: string;
  readonly chainLength: number;
  readonly warnings: readonly BundleWarning[];
};

export type PairText = {
  /** As messages name the files. */
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: Buffer;
  readonly key: Buffer;
};

/** The minimum of Chrome and the CA/Browser Forum (Baseline Requirements 6.1.5). */
const MIN_RSA_BITS = 2048;
const MAX_USUAL_RSA_BITS = 4096;
const USUAL_CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
/** RFC 5280 section 4.2.1.12. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USAGE = '2.5.29.37.0';

/** Throws a BundleError. Dates are reported, not checked. */
export function parseBundle({ certPath, keyPath, cert, key }: PairText): Bundle {
  const all = certificateBlocks(certPath, cert).map((block, at) => parseCertificate(certPath, block, at));
  const privateKey = parseKey(keyPath, keyBlock(keyPath, key));
  const leaf = all.find((certificate) => certificate.checkPrivateKey(privateKey));
  if (leaf === undefined) {
    throw new BundleError(
      'key_mismatch',
      `the key in ${keyPath} does not belong to the certificate in ${certPath}: they are of two different pairs`,
    );
  }
  const publicKey = createPublicKey(privateKey);
  refuseWeakKey(keyPath, publicKey);
  const chain = orderChain(leaf, all);
  return {
    cert: chain.certificates.map((certificate) => certificate.toString()).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    subject: leaf.subject?.replaceAll('\n', ', ') ?? '',
    issuer: leaf.issuer?.replaceAll('\n', ', ') ?? '',
    names: leaf.subjectAltName ?? '',
    serial: leaf.serialNumber.toLowerCase(),
    sha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: new Date(leaf.validFrom),
    notAfter: new Date(leaf.validTo),
    keyKind: keyKind(publicKey),
    chainLength: chain.certificates.length,
    warnings: warningsOf(certPath, leaf, chain, publicKey),
  };
}

/** `ec`, `rsa`, `ed25519`: of each, a TLS server has room for one. */
export function kindOf({ keyKind }: Pick<Bundle, 'keyKind'>): string {
  return keyKind.split(' ', 1)[0] ?? '';
}

/** Throws a BundleError; `at` counts from 0. */
export function parseCertificate(path: string, block: string, at: number): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw new BundleError('malformed_certificate', `certificate ${at + 1} in ${path} cannot be read`, { cause });
  }
}

function parseKey(path: string, block: string): KeyObject {
  try {
    return createPrivateKey(block);
  } catch (cause) {
    throw new BundleError('malformed_key', `the key in ${path} cannot be read`, { cause });
  }
}

// OpenSSL's own limit differs by release: 3.0 (Node 20) takes 1024 bits, 3.5 (Node 24) does not.
function refuseWeakKey(path: string, key: KeyObject): void {
  const { modulusLength = MIN_RSA_BITS } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS) {
    throw new BundleError(
      'weak_key',
      `the RSA key in ${path} has ${modulusLength} bits, which can be broken; issue one of at least ${MIN_RSA_BITS}, or ECDSA P-256`,
    );
  }
}

function warningsOf(path: string, leaf: X509Certificate, chain: Chain, key: KeyObject): BundleWarning[] {
  const warnings: BundleWarning[] = [];
  const warn = (reason: BundleWarning['reason'], text: string): void => void warnings.push({ reason, text });
  if (chain.mended) warn('chain_mended', `${path} is not in order, leaf first and each followed by its issuer; mended`);
  if (chain.strays > 0)
    warn('chain_strays', `${path} holds ${chain.strays} certificates that are not of the leaf's chain; remove them`);
  if (isUnusual(key)) warn('unusual_key', `${path}: many clients do not take a key of ${keyKind(key)}, or it is slow`);
  if (leaf.subjectAltName === undefined)
    warn('no_names', `${path} has no subject alternative name: browsers and Go clients refuse it; issue it with one`);
  const usages = leaf.keyUsage as string[] | undefined;
  if (usages !== undefined && !usages.includes(SERVER_AUTH) && !usages.includes(ANY_USAGE))
    warn('not_for_servers', `${path} is not for servers: clients refuse it; issue it with the usage "server auth"`);
  return warnings;
}

function isUnusual(key: KeyObject): boolean {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return modulusLength > MAX_USUAL_RSA_BITS;
  return key.asymmetricKeyType !== 'ec' || !USUAL_CURVES.includes(namedCurve);
}

function keyKind(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  return `${key.asymmetricKeyType} ${namedCurve ?? modulusLength ?? ''}`.trim();
}
