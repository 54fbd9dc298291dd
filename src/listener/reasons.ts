// Why client connections are refused or ended, and why handshakes fail, in one word each, with what an operator looks at:
// the label of their metrics and the `reason` of their log lines. The README's tables are written from it.

/** Of `connections_rejected_total`. */
export const CONNECTION_REASONS = {
  max_connections:
    'More connections than --max-connections: raise it together with the memory, or find out who opens them.',
  no_proxy_header:
    'A balancer of --proxy-protocol does not send PROXY headers: enable them there, or remove its address.',
  bad_proxy_header: 'A balancer of --proxy-protocol sends something else than a PROXY header of version 1 or 2.',
  proxy_header_timeout: 'A balancer of --proxy-protocol did not send its PROXY header within --handshake-timeout.',
  unexpected_proxy_header: 'A balancer sends PROXY headers, and --proxy-protocol does not name it.',
  protocol_error: 'The client broke the rules of HTTP/2; the `detail` of the log line says how.',
  header_timeout: 'An HTTP/2 client began a frame or a request head and did not end it within --header-timeout.',
  flood: 'The client sent more HTTP/2 frames of one kind than any client needs: an attack, or a broken client.',
} as const;

export type ConnectionReason = keyof typeof CONNECTION_REASONS;

/** Of `handshake_failures_total`, beside the `client_certificate_…` of errors.ts. */
export const HANDSHAKE_REASONS = {
  client_left: 'The client left in the middle: it may not trust the certificate, or its network failed.',
  client_alert: 'The client refused the handshake with an alert: most do not trust the certificate, or its name.',
  no_shared_cipher: 'The client knows none of the cipher suites, all of which have AEAD and forward secrecy.',
  version: 'The client is older than --tls-min-version.',
  protocol: 'What the client sent is not TLS as the standards have it.',
  not_tls: 'The first byte was neither TLS nor plain HTTP: another protocol, or a port scan.',
  timeout: 'The handshake was not over within --handshake-timeout.',
  client_ca_changed: 'Nothing: the client CA changed in the middle, and the client connects again.',
} as const;

export type HandshakeReason = keyof typeof HANDSHAKE_REASONS;
