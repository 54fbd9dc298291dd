// The TLS settings of every context. A context that replaces another takes nothing over from it, so all of them are
// repeated each time. TLS 1.2 only with AEAD suites and forward secrecy; nothing older.

import { constants } from 'node:crypto';
import { createSecureContext, type TlsOptions } from 'node:tls';
import type { Bundle } from './bundle.ts';
import { BundleError } from './bundle-error.ts';
import { sessionContextOf } from './session-context.ts';

/** AES-128 first: no practical weakness, and cheaper than 256 for every byte. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** How long a ticket may be used; OpenSSL's own default. */
const SESSION_SECONDS = 7200;
/** Shorter with a client certificate: on resumption its own dates are checked again, those of its chain are not. */
const VERIFIED_SESSION_SECONDS = 600;

export type ClientTrust = {
  readonly ca: string;
  readonly required: boolean;
  /** Revocation lists, PEM: with them OpenSSL wants a good one for every authority in the chain. */
  readonly crl?: string | undefined;
};

/** What every context has in common, whatever pair it serves. */
export type SharedTls = {
  readonly ticketKeys: Buffer;
  /** A session of another one is not resumed. */
  readonly sessionIdContext: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Where clients are asked for a certificate: by whom it must be issued (PEM), and whether they must have one. */
  readonly trust?: ClientTrust | undefined;
};

/**
 * `name` is the pair's: a session of one name is not resumed at another (RFC 6066 section 3). Throws a BundleError
 * (`rejected`) when OpenSSL does not take the pair, as for an RSA key below its security level.
 */
export function tlsOptions(bundle: Bundle, shared: SharedTls, name: string): TlsOptions {
  const { trust } = shared;
  const options: TlsOptions = {
    cert: bundle.cert,
    key: bundle.key,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // In TLS 1.2 a client could show another certificate after the first was verified; and each costs a handshake.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    minVersion: shared.minVersion,
    maxVersion: 'TLSv1.3',
    ecdhCurve: 'auto',
    ticketKeys: shared.ticketKeys,
    sessionIdContext: sessionContextOf(shared.sessionIdContext, name),
    sessionTimeout: trust === undefined ? SESSION_SECONDS : VERIFIED_SESSION_SECONDS,
    ...(trust !== undefined && clientOptions(trust)),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BundleError('rejected', `OpenSSL does not accept the pair: ${why}`, { cause });
  }
  return options;
}

/** An intermediate in the file is trusted like a root: what it issued is what the operator wants. */
function clientOptions({ ca, crl, required }: ClientTrust): TlsOptions {
  const options = { ca, allowPartialTrustChain: true, requestCert: true, rejectUnauthorized: required };
  return crl === undefined ? options : { ...options, crl: crl.split(/(?<=-----END X509 CRL-----)\n/).filter(Boolean) };
}
