// Makes every certificate of this repository: authorities, intermediates and leaves, for tests, the demo and development.
// It never touches the disk and keeps no state between authorities. What it makes is for machines that trust nothing else:
// the keys are exportable and the authority's own key lives in memory only.

import 'reflect-metadata'; // @peculiar/x509 needs it before its own import
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const dayMs = 24 * 60 * 60 * 1000;

export type CaKeyType = 'ec' | 'rsa';
/** `rsa1024` is too weak on purpose: OpenSSL's security level refuses it. */
export type LeafKeyType = CaKeyType | 'rsa1024';

export type AuthorityOptions = {
  commonName?: string;
  keyType?: CaKeyType;
};

export type IssueOptions = {
  /** Default: the first name among `dns`, `ip`, `uri`, else `leaf`. */
  commonName?: string;
  organizationalUnit?: string;
  dns?: readonly string[];
  ip?: readonly string[];
  uri?: readonly string[];
  /** Default: the authority's. */
  keyType?: LeafKeyType;
  /** Default: an hour ago, or a day before `notAfter` when that is in the past. */
  notBefore?: Date;
  /** Default: 90 days from now. */
  notAfter?: Date;
  /** Default: `server`. */
  usage?: 'server' | 'client' | 'both';
};

export type Issued = {
  /** The leaf alone, PEM. */
  cert: string;
  /** The leaf and the intermediates above it, leaf first, without the root: what a server sends. */
  chain: string;
  /** PKCS#8 PEM, unencrypted. */
  key: string;
  /** Upper-case hexadecimal, as node:crypto and openssl print it. */
  serial: string;
};

export interface Authority {
  /** This authority's own certificate, PEM. */
  readonly pem: string;
  /** The root above it (`pem` itself for a root), PEM: what a verifier trusts. */
  readonly rootPem: string;
  issue(options?: IssueOptions): Promise<Issued>;
  /** An authority below this one: its leaves' chains hold its certificate, and those between. */
  intermediate(options: AuthorityOptions): Promise<Authority>;
}

/** A new root, valid from ten years ago, so that a leaf that has expired is the only thing that has. */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const keyType = options.keyType ?? 'ec';
  const keys = await generateKeys(keyType);
  const certificate = await certifyAuthority({
    commonName: options.commonName ?? 'Test CA',
    keys,
    signer: undefined,
  });
  const pem = pemOf(certificate);
  return authorityOf({ certificate, keys, keyType, rootPem: pem, above: '' });
}

type Signer = { certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair };
type Parts = Signer & {
  keyType: CaKeyType;
  rootPem: string;
  /** This authority's own certificate and those between it and the root; empty for a root. */
  above: string;
};

function authorityOf(parts: Parts): Authority {
  return {
    pem: pemOf(parts.certificate),
    rootPem: parts.rootPem,
    issue: (options = {}) => issue(parts, options),
    async intermediate(options) {
      const keyType = options.keyType ?? parts.keyType;
      const keys = await generateKeys(keyType);
      const commonName = options.commonName ?? 'Test Intermediate CA';
      const certificate = await certifyAuthority({ commonName, keys, signer: parts });
      return authorityOf({
        certificate,
        keys,
        keyType,
        rootPem: parts.rootPem,
        above: pemOf(certificate) + parts.above,
      });
    },
  };
}

async function certifyAuthority(request: {
  commonName: string;
  keys: webcrypto.CryptoKeyPair;
  signer: Signer | undefined;
}): Promise<x509.X509Certificate> {
  const { keys, signer } = request;
  const subject = distinguishedName({ CN: request.commonName });
  const flags = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  return x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: signer === undefined ? subject : signer.certificate.subjectName,
    notBefore: new Date(Date.now() - 3650 * dayMs),
    notAfter: new Date(Date.now() + 3650 * dayMs),
    publicKey: keys.publicKey,
    signingKey: (signer?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(flags, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create((signer?.keys ?? keys).publicKey),
    ],
  });
}

async function issue(signer: Parts, options: IssueOptions): Promise<Issued> {
  const keys = await generateKeys(options.keyType ?? signer.keyType);
  const names = alternativeNames(options);
  const serial = randomSerial();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: subjectOf(options, names),
    issuer: signer.certificate.subjectName,
    ...validity(options),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(purposes(options.usage ?? 'server')),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    ],
  });
  const cert = pemOf(certificate);
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert, chain: cert + signer.above, key, serial };
}

function alternativeNames(options: IssueOptions): { type: 'dns' | 'ip' | 'url'; value: string }[] {
  return [
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(options.uri ?? []).map((value) => ({ type: 'url' as const, value })),
  ];
}

function subjectOf(options: IssueOptions, names: readonly { value: string }[]): x509.Name {
  const commonName = options.commonName ?? names[0]?.value ?? 'leaf';
  const unit = options.organizationalUnit;
  return distinguishedName({ ...(unit === undefined ? {} : { OU: unit }), CN: commonName });
}

// Typed values: the library reads quotes and # in a plain string as syntax, and drops what stands around them.
function distinguishedName(parts: Record<string, string>): x509.Name {
  return new x509.Name(Object.entries(parts).map(([field, value]) => ({ [field]: [{ utf8String: value }] })));
}

function validity(options: IssueOptions): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  const notAfter = options.notAfter ?? new Date(now + 90 * dayMs);
  const anHourAgo = now - 60 * 60 * 1000;
  const notBefore = options.notBefore ?? new Date(Math.min(anHourAgo, notAfter.getTime() - dayMs));
  return { notBefore, notAfter };
}

function purposes(usage: 'server' | 'client' | 'both'): string[] {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  if (usage === 'both') return [serverAuth, clientAuth];
  return [usage === 'server' ? serverAuth : clientAuth];
}

async function generateKeys(keyType: LeafKeyType): Promise<webcrypto.CryptoKeyPair> {
  if (keyType === 'ec') {
    return webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  }
  const modulusLength = keyType === 'rsa1024' ? 1024 : 2048;
  const publicExponent = new Uint8Array([1, 0, 1]);
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength, publicExponent };
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

// The first byte is kept between 0x40 and 0x7f: DER then adds and drops nothing, and the text is the same everywhere.
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex').toUpperCase();
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}
