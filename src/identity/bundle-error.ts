// Why a file of certificates or keys cannot be used, in one word each, with what an operator does about it: the label of
// metrics and the `reason` of log lines. The README's table is written from it.

/** With `client_ca_` before it where the file is that of --client-ca, in metrics. */
export const BUNDLE_REASONS = {
  missing: 'The file is not there (yet): it is tried again.',
  empty: 'The file is half-written: it is tried again.',
  changing: 'The directory changes faster than it can be read: it is tried again.',
  unreadable: 'The line says whose the file is, and who the sidecar is: set `defaultMode: 0444` or an `fsGroup`.',
  no_certificate:
    'No PEM certificate in it; what it is instead (a key, DER, PKCS#12 …) is named, with the command that converts it.',
  malformed_certificate: 'The certificate is cut off, or not what it says.',
  no_key:
    'No PEM key in it; what it is instead (a certificate, DER, PKCS#12 …) is named, with the command that converts it.',
  malformed_key: 'The key is cut off, or not what it says.',
  encrypted_key: 'Decrypt it: `openssl pkey -in FILE -out FILE`.',
  key_mismatch: 'Certificate and key are of two pairs: issue both together.',
  weak_key: 'Issue a stronger key: RSA from 2048 bits, or ECDSA P-256.',
  rejected: 'OpenSSL does not accept it: the line says why.',
  expired: 'Renew it; the clock may be wrong.',
  not_yet_valid: 'Wait for its first date; the clock may be wrong.',
  malformed_crl: 'Of --client-crl only: a revocation list is cut off, or no PEM; the line says how to convert one.',
  not_a_ca: "Of --client-ca only: put there what issues the clients' certificates, not one of these.",
} as const;

export type BundleReason = keyof typeof BUNDLE_REASONS;

/** A file that cannot be used. The message names it and says what to do; it never holds key material. */
export class BundleError extends Error {
  readonly reason: BundleReason;
  constructor(reason: BundleReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BundleError';
    this.reason = reason;
  }
}
