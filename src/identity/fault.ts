// Why a pair cannot be served, in one word each. The word is the label of metrics and the `reason` of log lines.

export type BundleFault =
  | 'missing'
  | 'unreadable'
  | 'empty'
  | 'no_certificate'
  | 'malformed_certificate'
  | 'no_key'
  | 'malformed_key'
  | 'encrypted_key'
  | 'weak_key'
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
