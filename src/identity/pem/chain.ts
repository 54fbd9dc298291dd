// The order of a chain: the leaf is the certificate that the key belongs to, and each one is followed by its issuer.
// It corrects the order and drops nothing but copies. Pure.

import type { X509Certificate } from 'node:crypto';

export type Chain = {
  /** Leaf first, as it is to be sent. */
  readonly certificates: readonly X509Certificate[];
  /** The file had them in another order. */
  readonly mended: boolean;
  /** How many certificates do not belong to the leaf's chain. */
  readonly strays: number;
};

/** `all` as they stand in the file; `leaf` is one of them. */
export function orderChain(leaf: X509Certificate, all: readonly X509Certificate[]): Chain {
  const rest = all.filter((one, at) => one !== leaf && all.findIndex(({ raw }) => raw.equals(one.raw)) === at);
  const path = [leaf];
  for (let next = issuerOf(leaf, rest); next !== undefined; next = issuerOf(next, rest)) {
    path.push(next);
    rest.splice(rest.indexOf(next), 1);
  }
  // If some do not fit and the leaf comes first, the order in the file may have a reason (cross-signed roots).
  const certificates = rest.length > 0 && all[0] === leaf ? [leaf, ...others(leaf, all)] : [...path, ...rest];
  const mended = certificates.some((one, at) => one !== all[at]);
  return { certificates, mended, strays: rest.length };
}

function issuerOf(certificate: X509Certificate, among: readonly X509Certificate[]): X509Certificate | undefined {
  return certificate.checkIssued(certificate) ? undefined : among.find((other) => certificate.checkIssued(other));
}

function others(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  return all.filter((one) => one !== leaf);
}
