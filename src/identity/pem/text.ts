// The bytes of a file to PEM blocks, which are not parsed here.

import { BundleError } from '../bundle-error.ts';
import { insteadOfCertificate, insteadOfKey } from './foreign.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const CERTIFICATE_BEGUN = /-----BEGIN CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z0-9]+ )?PRIVATE KEY-----/;
const PRIVATE_KEY_BEGUN = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;

/** Whether the file of a certificate is a bundle that (also) holds a private key, even one that is cut off. */
export function holdsKey(bytes: Buffer): boolean {
  return PRIVATE_KEY_BEGUN.test(bytes.toString('latin1'));
}

/** The complete certificates of the file, at least one. */
export function certificateBlocks(path: string, bytes: Buffer): string[] {
  const pem = textOf(path, bytes);
  const blocks = pem.match(CERTIFICATE) ?? [];
  const begun = pem.match(CERTIFICATE_BEGUN)?.length ?? 0;
  if (begun === 0)
    throw new BundleError('no_certificate', `${path} holds no PEM certificate${insteadOfCertificate(path, bytes)}`);
  if (begun !== blocks.length)
    throw new BundleError('malformed_certificate', `${path} is cut off: a certificate has no end line`);
  return blocks;
}

/** The first complete private key of the file. */
export function keyBlock(path: string, bytes: Buffer): string {
  const pem = textOf(path, bytes);
  if (ENCRYPTED.test(pem)) {
    throw new BundleError(
      'encrypted_key',
      `the key in ${path} is encrypted; decrypt it first, as with openssl pkey -in ${path} -out FILE`,
    );
  }
  const block = PRIVATE_KEY.exec(pem)?.[0];
  if (block !== undefined) return block;
  if (PRIVATE_KEY_BEGUN.test(pem))
    throw new BundleError('malformed_key', `${path} is cut off: the key has no end line`);
  throw new BundleError('no_key', `${path} holds no PEM private key${insteadOfKey(path, bytes)}`);
}

function textOf(path: string, bytes: Buffer): string {
  if (bytes.length === 0) throw new BundleError('empty', `${path} is empty`);
  return bytes.toString('utf8');
}
