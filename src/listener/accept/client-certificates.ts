// Client certificates at the handshake: reads, once for each connection, how OpenSSL verified one, and says why a handshake
// that needed one failed. Where a certificate is required, a connection without a verified one is never read as HTTP. It
// verifies nothing itself: who a client is, `identify` says.

import type { X509Certificate } from 'node:crypto';
import type { SecureContext, Server, TLSSocket, TlsOptions } from 'node:tls';
import type { ClientIdentity } from '../../clients/certificate.ts';
import { errorCode, type Reason } from '../../errors.ts';

export type ClientCertificates = {
  /** True: a connection without a verified certificate is closed. False: its requests are answered with the reason. */
  readonly required: boolean;
  /** `verifyError` is OpenSSL's verification error, '' for a good chain. */
  readonly identify: (presented: { certificate: X509Certificate | undefined; verifyError: string }) => ClientIdentity;
  readonly subjectOf: (certificate: X509Certificate) => string;
};

/** Why a certificate was refused, and its subject: untrusted text, made safe by `subjectOf`. */
export type CertificateRefusal = { readonly reason: Reason; readonly subject: string; readonly verifyError: string };

const MAX_SUBJECT = 512;

/**
 * tls.Server drops `allowPartialTrustChain` on its way to the context (Node 20.20 and 24.21), though contexts made
 * for SNI take it. Should Node hide its context one day, a CA file without its root admits nobody.
 */
export function completeContext(server: Server, { allowPartialTrustChain }: TlsOptions): void {
  if (allowPartialTrustChain !== true) return;
  const { _sharedCreds: made } = server as { _sharedCreds?: SecureContext };
  const native = made?.context as { setAllowPartialTrustChain?: () => void } | undefined;
  native?.setAllowPartialTrustChain?.();
}

export class ClientCertificateReader {
  readonly #options: ClientCertificates;
  /** Of handshakes that are about to fail: Node drops the certificate before it reports the failure. */
  readonly #presented = new WeakMap<TLSSocket, X509Certificate>();

  constructor(options: ClientCertificates) {
    this.#options = options;
  }

  /** Before its first handshake. */
  attach(server: Server): void {
    if (this.#options.required) this.#lookBeforeNode(server);
  }

  /** Who the client is by its certificate, and why it is refused, if it is. */
  read(socket: TLSSocket): { client: ClientIdentity; refusal: CertificateRefusal | undefined } {
    const certificate = socket.getPeerX509Certificate();
    const verifyError = socket.authorized ? '' : String(socket.authorizationError ?? 'UNSPECIFIED');
    const client = this.#options.identify({ certificate, verifyError });
    if (client.kind === 'refused') return { client, refusal: this.#refusal(client.reason, verifyError, certificate) };
    const missing = client.kind === 'none' && this.#options.required;
    return {
      client,
      refusal: missing ? this.#refusal('client_certificate_missing', verifyError, undefined) : undefined,
    };
  }

  /** Why a handshake failed, if it was for its client's certificate. */
  failed(error: Error, socket: TLSSocket): CertificateRefusal | undefined {
    if (errorCode(error) === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
      return this.#refusal('client_certificate_missing', '', undefined);
    // Node destroys the connection without an error of its own; only this field tells.
    const verifyError = socket.authorizationError ? String(socket.authorizationError) : '';
    if (verifyError === '') return undefined;
    const certificate = this.#presented.get(socket);
    const client = this.#options.identify({ certificate, verifyError });
    return this.#refusal(
      client.kind === 'refused' ? client.reason : 'client_certificate_invalid',
      verifyError,
      certificate,
    );
  }

  #refusal(reason: Reason, verifyError: string, certificate: X509Certificate | undefined): CertificateRefusal {
    const subject = certificate === undefined ? '' : this.#options.subjectOf(certificate).slice(0, MAX_SUBJECT);
    return { reason, subject, verifyError };
  }

  /**
   * With `rejectUnauthorized`, OpenSSL sends an alert to a client without a certificate, but for a bad one Node destroys the
   * connection in its own listener of `secure`, before anybody has seen the certificate. `keylog` is the only event that
   * gives the socket before that, in every kind of handshake. Its line, a secret, is not read.
   */
  #lookBeforeNode(server: Server): void {
    const known = new WeakSet<TLSSocket>();
    server.on('keylog', (_line: Buffer, socket: TLSSocket) => {
      if (known.has(socket)) return;
      known.add(socket);
      // Node keeps the address once it was asked for, after the end, too.
      void socket.remoteAddress;
      socket.prependOnceListener('secure', () => {
        const certificate = socket.getPeerX509Certificate();
        if (certificate !== undefined) this.#presented.set(socket, certificate);
      });
    });
  }
}
