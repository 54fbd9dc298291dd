// What can go wrong, in one word each. The word is the same in the answer's Proxy-Status details, the log's
// `reason`, the metric's label and the tests; the status and the RFC 9209 error type follow from it here only.

/** A mistake in options, files or environment: one clear line on stderr a problem, exit code 2. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Side = 'client' | 'upstream' | 'sidecar';

/** Why an exchange failed. `text` is what the client reads; it never holds bytes of the request or of the app. */
export type Rejection = {
  readonly reason: Reason;
  readonly status: number;
  /** RFC 9209 section 2.3 proxy error type. */
  readonly error: string;
  readonly side: Side;
  readonly text: string;
};

type Row = readonly [status: number, error: string, side: Side, text: string];

const TABLE = {
  // The client's request
  malformed_request: [400, 'http_request_error', 'client', 'The request is not valid HTTP.'],
  plaintext: [
    400,
    'http_request_error',
    'client',
    'This port speaks HTTPS only; the request came as plain HTTP. Use https://.',
  ],
  plaintext_redirect: [
    308,
    'http_request_denied',
    'client',
    'This port speaks HTTPS only; the request came as plain HTTP. Location has its https:// URL.',
  ],
  bad_host: [400, 'http_request_error', 'client', 'The request needs exactly one valid Host.'],
  bad_target: [
    400,
    'http_request_error',
    'client',
    'The request target is not allowed: it must be a path, or * with OPTIONS.',
  ],
  bad_framing: [400, 'http_request_error', 'client', 'The length of the request body is ambiguous.'],
  bad_body: [400, 'http_request_error', 'client', 'The request body is not correctly chunked.'],
  bad_connection: [400, 'http_request_error', 'client', 'The Connection field names a field that must reach the app.'],
  bad_upgrade: [400, 'http_request_error', 'client', 'The request to change the protocol is not valid.'],
  bad_expect: [417, 'http_request_error', 'client', 'The only expectation that is supported is 100-continue.'],
  bad_method: [501, 'http_request_denied', 'client', 'The method is not allowed through this proxy.'],
  bad_version: [505, 'http_request_error', 'client', 'The HTTP version is not supported; use HTTP/1.1.'],
  header_too_large: [431, 'http_request_error', 'client', 'The request head is larger than --max-header-size allows.'],
  too_many_fields: [431, 'http_request_error', 'client', 'The request has more than 256 header fields.'],
  header_timeout: [408, 'http_request_error', 'client', 'The request head did not arrive within --header-timeout.'],
  client_timeout: [408, 'http_request_error', 'client', 'The client sent or accepted nothing for --client-timeout.'],
  client_certificate_missing: [
    403,
    'http_request_denied',
    'client',
    'A client certificate is needed here, and the connection was made without one.',
  ],
  client_certificate_untrusted: [
    403,
    'http_request_denied',
    'client',
    'The client certificate was not issued by an authority that is trusted here.',
  ],
  client_certificate_expired: [403, 'http_request_denied', 'client', 'The client certificate has expired.'],
  client_certificate_not_yet_valid: [403, 'http_request_denied', 'client', 'The client certificate is not valid yet.'],
  client_certificate_purpose: [
    403,
    'http_request_denied',
    'client',
    'The client certificate is not meant for clients (extended key usage clientAuth).',
  ],
  client_certificate_invalid: [403, 'http_request_denied', 'client', 'The client certificate could not be verified.'],
  client_not_allowed: [
    403,
    'http_request_denied',
    'client',
    'The client certificate names nobody who is allowed here.',
  ],
  client_gone: [499, 'connection_terminated', 'client', 'The client left.'],
  // The app
  upstream_refused: [
    502,
    'connection_refused',
    'upstream',
    'The app does not accept connections. Is it running, and does it listen on the address of --upstream?',
  ],
  upstream_unresolved: [502, 'dns_error', 'upstream', "The app's host name cannot be resolved. See --upstream."],
  upstream_connect_timeout: [
    504,
    'connection_timeout',
    'upstream',
    'The app did not accept a connection within --upstream-connect-timeout.',
  ],
  upstream_busy: [
    503,
    'connection_limit_reached',
    'upstream',
    'All connections to the app are busy (--upstream-max-connections).',
  ],
  upstream_timeout: [504, 'http_response_timeout', 'upstream', 'The app sent nothing for --upstream-timeout.'],
  upstream_closed: [
    502,
    'connection_terminated',
    'upstream',
    'The app closed the connection before its answer was complete.',
  ],
  upstream_malformed: [502, 'http_protocol_error', 'upstream', "The app's answer is not valid HTTP."],
  upstream_ambiguous: [502, 'http_protocol_error', 'upstream', "The length of the app's answer is ambiguous."],
  upstream_header_too_large: [
    502,
    'http_response_header_section_size',
    'upstream',
    "The head of the app's answer is too large.",
  ],
  upstream_bad_upgrade: [
    502,
    'http_upgrade_failed',
    'upstream',
    'The app does not offer the protocol that was asked for, or changed to another one.',
  ],
  // Ourselves
  draining: [503, 'destination_unavailable', 'sidecar', 'The sidecar is stopping.'],
  internal_error: [500, 'proxy_internal_error', 'sidecar', 'The sidecar failed; its log says why.'],
} satisfies Record<string, Row>;

export type Reason = keyof typeof TABLE;

/** The one frozen rejection of each reason: a rejection is a value that is passed on, never thrown. */
export const REJECTIONS = Object.freeze(
  Object.fromEntries(
    Object.entries(TABLE).map(([reason, [status, error, side, text]]) => [
      reason,
      Object.freeze({ reason: reason as Reason, status, error, side, text }),
    ]),
  ),
) as Readonly<Record<Reason, Rejection>>;

/** The system's error code (`ECONNREFUSED`), or an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
