// The bytes of a file to PEM blocks, which are not parsed here. Of a file without PEM it says what it is instead.

import { BundleError } from '../bundle-error.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const CERTIFICATE_BEGUN = /-----BEGIN CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z0-9]+ )?PRIVATE KEY-----/;
const PRIVATE_KEY_BEGUN = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;
/** The tag of an ASN.1 SEQUENCE, with which DER and PKCS#12 begin. */
const SEQUENCE = 0x30;

/** Whether the file of a certificate is a bundle that (also) holds a private key, even one that is cut off. */
export function holdsKey(bytes: Buffer): boolean {
  return PRIVATE_KEY_BEGUN.test(bytes.toString('latin1'));
}

/** The complete certificates of the file, at least one. */
export function certificateBlocks(path: string, bytes: Buffer): string[] {
  const pem = textOf(path, bytes);
  const blocks = pem.match(CERTIFICATE) ?? [];
  const begun = pem.match(CERTIFICATE_BEGUN)?.length ?? 0;
  if (begun === 0) {
    const what = foreign(bytes, `openssl x509 -inform der -in ${path} -out FILE`);
    throw new BundleError(
      'no_certificate',
      `${path} holds no PEM certificate${what || ' (a block that begins with -----BEGIN CERTIFICATE-----)'}`,
    );
  }
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
  const what = foreign(bytes, `openssl pkey -inform der -in ${path} -out FILE`);
  throw new BundleError('no_key', `${path} holds no PEM private key${what}`);
}

function textOf(path: string, bytes: Buffer): string {
  if (bytes.length === 0) throw new BundleError('empty', `${path} is empty`);
  return bytes.toString('utf8');
}

/** What a file without PEM is instead, with what to do; or ''. */
function foreign(bytes: Buffer, convert: string): string {
  if (bytes[0] === SEQUENCE && (bytes[1] ?? 0) > 0x30) return `: it is binary (DER or PKCS#12); convert it: ${convert}`;
  if (bytes.subarray(0, 512).includes(0)) return ': it is no UTF-8 text (UTF-16?); save it as UTF-8';
  return '';
}
