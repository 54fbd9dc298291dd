// PEM text to a checked pair: certificates that parse, a key that belongs to the leaf, and the facts that log, metrics
// and `check` tell. Pure: it reads no file and no clock.

import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

/** Why a pair is no good: the label of metrics and the `reason` of log lines. */
export type BundleFault =
  | 'missing'
  | 'unreadable'
  | 'empty'
  | 'no_certificate'
  | 'malformed_certificate'
  | 'no_key'
  | 'malformed_key'
  | 'encrypted_key'
  | 'key_mismatch'
  | 'rejected'
  | 'not_a_ca'
  | 'expired'
  | 'not_yet_valid'
  | 'changing';

/** A pair that cannot be served. The message names the file and the mend; it never holds key material. */
export class BundleError extends Error {
  readonly fault: BundleFault;
  constructor(fault: BundleFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BundleError';
    this.fault = fault;
  }
}

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
};

export type PairText = {
  /** How the files are called in messages. */
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: Buffer;
  readonly key: Buffer;
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z0-9]+ )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;

/** Throws a BundleError. Dates are told, not judged. */
export function parseBundle({ certPath, keyPath, cert, key }: PairText): Bundle {
  const chain = parseChain(certPath, text(certPath, cert));
  const leaf = chain[0] as X509Certificate;
  const keyText = text(keyPath, key);
  const privateKey = parseKey(keyPath, keyText);
  if (!leaf.checkPrivateKey(privateKey)) {
    const at = chain.findIndex((other) => other.checkPrivateKey(privateKey));
    const hint =
      at > 0
        ? `it belongs to certificate ${at + 1} of the file; the leaf must come first`
        : 'they are of two different pairs';
    throw new BundleError(
      'key_mismatch',
      `the key in ${keyPath} does not belong to the certificate in ${certPath}: ${hint}`,
    );
  }
  return {
    cert: chain.map((certificate) => certificate.toString()).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    subject: leaf.subject?.replaceAll('\n', ', ') ?? '',
    issuer: leaf.issuer?.replaceAll('\n', ', ') ?? '',
    names: leaf.subjectAltName ?? '',
    serial: leaf.serialNumber.toLowerCase(),
    sha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: new Date(leaf.validFrom),
    notAfter: new Date(leaf.validTo),
    keyKind: keyKind(createPublicKey(privateKey)),
    chainLength: chain.length,
  };
}

function text(path: string, bytes: Buffer): string {
  if (bytes.length === 0) throw new BundleError('empty', `${path} is empty`);
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

function parseChain(path: string, pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
  const begun = pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  if (begun === 0)
    throw new BundleError(
      'no_certificate',
      `${path} holds no PEM certificate (a block that begins with -----BEGIN CERTIFICATE-----)`,
    );
  if (begun !== blocks.length)
    throw new BundleError('malformed_certificate', `${path} is cut off: a certificate has no end line`);
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new BundleError('malformed_certificate', `certificate ${i + 1} in ${path} cannot be read`, { cause });
    }
  });
}

function parseKey(path: string, pem: string): KeyObject {
  if (ENCRYPTED.test(pem)) {
    throw new BundleError(
      'encrypted_key',
      `the key in ${path} is encrypted; decrypt it first, as with openssl pkey -in ${path} -out FILE`,
    );
  }
  const block = PRIVATE_KEY.exec(pem)?.[0];
  if (block === undefined) throw new BundleError('no_key', `${path} holds no complete PEM private key`);
  try {
    return createPrivateKey(block);
  } catch (cause) {
    throw new BundleError('malformed_key', `the key in ${path} cannot be read`, { cause });
  }
}

function keyKind(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  return `${key.asymmetricKeyType} ${namedCurve ?? modulusLength ?? ''}`.trim();
}
