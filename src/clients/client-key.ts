// Whom what is held for a client is counted to: the one place that makes the key. A verified client is who its certificate
// names, wherever it comes from; any other is its address, and of IPv6 the network of 64 bits, which one machine has whole.

import { networkOf } from '../net/addresses.ts';
import type { CertificateFacts, ClientIdentity } from './certificate.ts';

/** Networks of addresses of late: to work one out takes 3 us, a tenth of what a request costs. */
const networks = new Map<string, string>();
const MAX_NETWORKS = 4096;

/** `address` in its one spelling. */
export function clientKey(identity: ClientIdentity | undefined, address: string): string {
  if (identity?.kind !== 'verified') return address.includes(':') ? networkKey(address) : address;
  const known = names.get(identity.certificate);
  if (known !== undefined) return known;
  const { name, sha256 } = identity.certificate;
  // No name that a certificate has can be read as an address.
  const key = `certificate ${name === '' ? sha256 : name}`;
  names.set(identity.certificate, key);
  return key;
}

const names = new WeakMap<CertificateFacts, string>();

function networkKey(address: string): string {
  const known = networks.get(address);
  if (known !== undefined) return known;
  if (networks.size >= MAX_NETWORKS) networks.clear();
  const network = networkOf(address);
  networks.set(address, network);
  return network;
}
