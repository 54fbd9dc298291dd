// The revocation lists of --client-crl: reads them, and knows whom they name. Whether a list is genuine, OpenSSL says in every
// handshake; here are their dates, which are told, and their entries, to see who was added. It is read whole or not at all.

import { createHash, type X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { BundleError } from '../identity/bundle-error.ts';
import { readFile } from '../identity/files.ts';
import { type Element, elementsOf, sequenceOf } from './der.ts';

export type RevocationList = {
  /** The issuer's name as it stands in its certificates (DER), hex. */
  readonly issuer: string;
  readonly thisUpdate: Date;
  /** Undefined: it says nothing of a next one. */
  readonly nextUpdate: Date | undefined;
  readonly revoked: number;
};

export type Revocations = {
  readonly path: string;
  readonly pem: string;
  readonly lists: readonly RevocationList[];
  /** SHA-256 of `pem`, lower-case hex. */
  readonly digest: string;
  /** Issuer and serial number of each certificate. */
  readonly entries: ReadonlySet<string>;
};

const BLOCK = /-----BEGIN X509 CRL-----([\s\S]+?)-----END X509 CRL-----/g;
const BEGUN = /-----BEGIN X509 CRL-----/g;
const INTEGER = 0x02;
const SEQUENCE = 0x30;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
/** `[0]`: the version of a certificate. */
const VERSION = 0xa0;

/** Throws a BundleError. `known` is given back where the file has not changed: lists can be long. */
export function readRevocations(path: string, known: Revocations | undefined): Revocations {
  const text = readFile(path, path).toString('latin1');
  const blocks = text.match(BLOCK) ?? [];
  if (text.trim() === '') throw new BundleError('empty', `${path} is empty; it must hold lists of --client-crl`);
  if (blocks.length === 0 || blocks.length !== text.match(BEGUN)?.length)
    throw new BundleError('malformed_crl', `${path} holds no whole PEM revocation list (BEGIN X509 CRL)${HOW}`);
  const pem = blocks.map((block) => `${block}\n`).join('');
  const digest = createHash('sha256').update(pem).digest('hex');
  if (known?.digest === digest) return known;
  const entries = new Set<string>();
  try {
    createSecureContext({ crl: blocks });
    const lists = blocks.map((block) => readList(block, entries));
    return { path, pem, lists, digest, entries };
  } catch (cause) {
    throw new BundleError('malformed_crl', `a revocation list in ${path} cannot be read${HOW}`, { cause });
  }
}

const HOW = '; openssl crl -inform DER -in FILE makes PEM of a binary one';

/** Whether a list names this certificate. */
export function isRevoked({ entries }: Revocations, certificate: X509Certificate): boolean {
  const { issuer, serial } = namesOf(certificate);
  return entries.has(keyOf(issuer, serial));
}

/** The names of a certificate (DER), hex, and its serial number. RFC 5280 section 4.1. */
export function namesOf(certificate: X509Certificate): { issuer: string; subject: string; serial: Buffer } {
  const [body] = sequenceOf(certificate.raw);
  const fields = elementsOf(contentOf(body));
  const [serial, , issuer, , subject] = fields[0]?.tag === VERSION ? fields.slice(1) : fields;
  return { issuer: hex(issuer), subject: hex(subject), serial: contentOf(serial) };
}

/** RFC 5280 section 5.1. */
function readList(block: string, entries: Set<string>): RevocationList {
  const [, base64 = ''] = new RegExp(BLOCK.source).exec(block) ?? [];
  const [body] = sequenceOf(Buffer.from(base64, 'base64'));
  const fields = elementsOf(contentOf(body));
  const [, name, thisUpdate, next, ...rest] = fields[0]?.tag === INTEGER ? fields.slice(1) : fields;
  const issuer = hex(name);
  const hasNext = next !== undefined && [UTC_TIME, GENERALIZED_TIME].includes(next.tag);
  const revoked = [...(hasNext ? [] : [next]), ...rest].find((element) => element?.tag === SEQUENCE);
  const named = revoked === undefined ? [] : elementsOf(revoked.content);
  for (const one of named) entries.add(keyOf(issuer, contentOf(elementsOf(one.content)[0])));
  return {
    issuer,
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: hasNext ? timeOf(next) : undefined,
    revoked: named.length,
  };
}

function timeOf(element: Element | undefined): Date {
  const text = contentOf(element).toString('latin1');
  // RFC 5280 section 4.1.2.5.1: two digits from 50 on are of the last century.
  const century = element?.tag === GENERALIZED_TIME ? '' : Number(text.slice(0, 2)) >= 50 ? '19' : '20';
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time.getTime())) throw new RangeError('not a time');
  return time;
}

function keyOf(issuer: string, serial: Buffer): string {
  return `${issuer}:${serial.toString('hex')}`;
}

function contentOf(element: Element | undefined): Buffer {
  if (element === undefined) throw new RangeError('a field is missing');
  return element.content;
}

function hex(element: Element | undefined): string {
  if (element === undefined) throw new RangeError('a field is missing');
  return element.bytes.toString('hex');
}
