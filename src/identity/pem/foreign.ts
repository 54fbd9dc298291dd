// What a file is that should hold a certificate or a key in PEM and does not, and what to do about it. Pure.

/** Tags of ASN.1: a SEQUENCE, with which DER and PKCS#12 begin, an INTEGER, and an OBJECT IDENTIFIER. */
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
/** RFC 7292 section 4: the version of a PFX. Those of keys are 0 and 1. */
const PKCS12_VERSION = 3;
const JAVA_KEY_STORE = Buffer.from([0xfe, 0xed, 0xfe, 0xed]);

/** What else PEM may hold (RFC 7468), with what to do. */
const TITLES: readonly (readonly [RegExp, what: string])[] = [
  [/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/, 'a certificate request, which an authority has to sign first'],
  [/-----BEGIN TRUSTED CERTIFICATE-----/, 'one of the kind that only OpenSSL reads; convert it: openssl x509 -in FILE'],
  [/-----BEGIN PKCS7-----/, 'PKCS#7; convert it: openssl pkcs7 -print_certs -in FILE'],
  [/-----BEGIN PUBLIC KEY-----/, 'a public key'],
];

/** The rest of the sentence `FILE holds no PEM certificate …`; '' if nothing is known. */
export function insteadOfCertificate(path: string, bytes: Buffer): string {
  if (/-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----/.test(bytes.toString('latin1')))
    return ', but a private key: are --cert and --key swapped?';
  const what = titleOf(path, bytes) || binary(path, bytes, `openssl x509 -inform der -in ${path} -out FILE`);
  return what || ' (a block that begins with -----BEGIN CERTIFICATE-----)';
}

/** The rest of the sentence `FILE holds no PEM private key …`; '' if nothing is known. */
export function insteadOfKey(path: string, bytes: Buffer): string {
  if (bytes.includes('-----BEGIN CERTIFICATE-----'))
    return ', but a certificate: are --cert and --key swapped, or is the certificate given twice?';
  return titleOf(path, bytes) || binary(path, bytes, `openssl pkey -inform der -in ${path} -out FILE`);
}

/** Whether it is a container of both, or in another coding: then a key beside it is not what is missing. */
export function isForeign(bytes: Buffer): boolean {
  return binary('', bytes, '') !== '';
}

function titleOf(path: string, bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const found = TITLES.find(([title]) => title.test(text));
  return found === undefined ? '' : `, but ${found[1].replace('FILE', path)}`;
}

function binary(path: string, bytes: Buffer, convert: string): string {
  if (bytes.subarray(0, 4).equals(JAVA_KEY_STORE))
    return `: it is a Java key store; convert it: keytool -importkeystore -srckeystore ${path} -deststoretype pkcs12 -destkeystore FILE.p12, and that: ${fromPkcs12('FILE.p12')}`;
  if (bytes[0] === SEQUENCE && (bytes[1] ?? 0) > 0x30) {
    const content = contentOf(bytes);
    if (content[0] === INTEGER && content[2] === PKCS12_VERSION)
      return `: it is binary (PKCS#12, as .p12 and .pfx are); convert it: ${fromPkcs12(path)}`;
    if (content[0] === OBJECT_IDENTIFIER)
      return `: it is binary (PKCS#7); convert it: openssl pkcs7 -print_certs -inform der -in ${path} -out FILE`;
    return `: it is binary (DER); convert it: ${convert}`;
  }
  if (bytes.subarray(0, 512).includes(0)) return ': it is no UTF-8 text (UTF-16?); save it as UTF-8';
  return '';
}

function fromPkcs12(path: string): string {
  return `openssl pkcs12 -in ${path} -nodes -out bundle.pem, and give --cert bundle.pem alone, which then holds the key, too`;
}

/** What stands in the outermost SEQUENCE (X.690 section 8.1.3: the length in one byte, or in as many as it says). */
function contentOf(bytes: Buffer): Buffer {
  const length = bytes[1] ?? 0;
  return bytes.subarray(length < 0x80 ? 2 : 2 + (length & 0x7f));
}
