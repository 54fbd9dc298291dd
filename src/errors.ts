// THE table of the reasons why an exchange fails, in one word each. The word is the same in the answer's Proxy-Status
// details, the log's `reason`, the metric's label and the tests; status, RFC 9209 error type and the sentences for client
// and operator follow from it here only. The README's table is written from it.

import { APP_ROWS } from './errors/app.ts';
import { REVIEW_ROWS } from './errors/reviews.ts';

/** A mistake in options, files or environment: one clear line on stderr a problem, exit code 2. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Ends an exchange. `text` is what the client reads; it never holds bytes of the request or of the app. */
export type Rejection = {
  readonly reason: Reason;
  readonly status: number;
  /** RFC 9209 section 2.3 proxy error type. */
  readonly error: string;
  readonly side: 'client' | 'upstream' | 'sidecar';
  readonly text: string;
  /** What an operator looks at or does. */
  readonly advice: string;
};

type Row = Omit<Rejection, 'reason'>;

function requestError(status: number, text: string, advice: string): Row {
  return { status, error: 'http_request_error', side: 'client', text, advice };
}

function denied(status: number, text: string, advice: string): Row {
  return { status, error: 'http_request_denied', side: 'client', text, advice };
}

const BROKEN_CLIENT = 'A broken client, or an attack where many come from one client.';
const CLIENTS_OWN = "Renew or replace the client's certificate; the log has its subject.";

const TABLE = {
  // The client's request
  malformed_request: requestError(400, 'The request is not valid HTTP.', BROKEN_CLIENT),
  plaintext: requestError(
    400,
    'This port speaks HTTPS only; the request came as plain HTTP. Use https://.',
    'A client uses http:// on the TLS port; see --plaintext.',
  ),
  plaintext_redirect: denied(
    308,
    'This port speaks HTTPS only; the request came as plain HTTP. Location has its https:// URL.',
    'Nothing, or let the client use https:// at once.',
  ),
  bad_host: requestError(400, 'The request needs exactly one valid Host.', BROKEN_CLIENT),
  bad_target: requestError(
    400,
    'The request target is not allowed: it must be a path, or * with OPTIONS.',
    'A client that takes the sidecar for a forward proxy, or writes # or other stray characters.',
  ),
  bad_framing: requestError(
    400,
    'The length of the request body is ambiguous.',
    'An attempt to smuggle a request, or a proxy before the sidecar that lets one through.',
  ),
  bad_body: requestError(400, 'The request body is not what its head or its coding says.', BROKEN_CLIENT),
  bad_connection: requestError(
    400,
    'The Connection field names a field that must reach the app.',
    'A client that wants Host, Cookie or Authorization removed on the way: an attack, or a broken proxy.',
  ),
  bad_upgrade: requestError(
    400,
    'The request to change the protocol is not valid.',
    'A broken WebSocket client; see RFC 6455 section 4.2.1.',
  ),
  bad_expect: requestError(417, 'The only expectation that is supported is 100-continue.', BROKEN_CLIENT),
  bad_method: denied(
    501,
    'The method is not allowed through this proxy.',
    'CONNECT, TRACE, or a method with lower-case letters: the client must use another one.',
  ),
  bad_version: requestError(505, 'The HTTP version is not supported; use HTTP/1.1.', BROKEN_CLIENT),
  header_too_large: requestError(
    431,
    'The request head is larger than --max-header-size allows.',
    'Large cookies or tokens: raise --max-header-size, and the limit of the app with it.',
  ),
  too_many_fields: requestError(431, 'The request has more than 256 header fields.', BROKEN_CLIENT),
  body_too_large: requestError(
    413,
    'The request body is larger than --max-body-size allows.',
    'Large uploads, or calls of gRPC that stream for long: raise --max-body-size, if the app shall take them.',
  ),
  header_timeout: requestError(
    408,
    'The request head did not arrive within --header-timeout.',
    'A slow or stalled client, or an attack where many come from one client.',
  ),
  client_timeout: requestError(
    408,
    'The client sent or accepted nothing for --client-timeout, or less than --min-body-rate.',
    'A client that stalled or lost its network; many of them at once: an attack. See --min-body-rate.',
  ),
  client_certificate_missing: denied(
    403,
    'A client certificate is needed here, and the connection was made without one.',
    'Give the client a certificate; see --client-auth.',
  ),
  client_certificate_untrusted: denied(
    403,
    'The client certificate was not issued by an authority that is trusted here.',
    'Compare its issuer with the file of --client-ca; `check` tells what that holds.',
  ),
  client_certificate_expired: denied(403, 'The client certificate has expired.', CLIENTS_OWN),
  client_certificate_not_yet_valid: denied(
    403,
    'The client certificate is not valid yet.',
    'Wait for its first date; the clock of the sidecar or of the issuer may be wrong.',
  ),
  client_certificate_purpose: denied(
    403,
    'The client certificate is not meant for clients (extended key usage clientAuth).',
    'Issue it for clients: with clientAuth, or without any extended key usage.',
  ),
  client_certificate_revoked: denied(403, 'The client certificate has been revoked.', CLIENTS_OWN),
  client_certificate_unchecked: denied(
    403,
    'Whether the client certificate has been revoked could not be found out.',
    'A list of --client-crl has expired, is of another issuer, or is missing for one of the authorities; `check` tells which.',
  ),
  client_certificate_invalid: denied(403, 'The client certificate could not be verified.', CLIENTS_OWN),
  client_not_allowed: denied(
    403,
    'The client certificate names nobody who is allowed here.',
    'No --allow-… rule matches the verified client; add one if it is to be served.',
  ),
  rate_limited: denied(
    429,
    'This client makes more requests than --rate-limit allows; Retry-After says when the next may come.',
    'A client that asks too often, or many behind one address; see --rate-limit, and --trust-forwarded behind a proxy.',
  ),
  client_over_share: {
    status: 503,
    error: 'connection_limit_reached',
    side: 'client',
    text: 'More bytes wait here for this client than its share.',
    advice:
      'A client that asks for more than it reads, or uploads more than the app takes, on many streams; see --max-client-share. More memory gives all more room.',
  },
  client_gone: {
    status: 499,
    error: 'connection_terminated',
    side: 'client',
    text: 'The client left.',
    advice: 'Usually nothing; many of them may mean that the app is slower than its clients wait.',
  },
  ...APP_ROWS,
  ...REVIEW_ROWS,
  // Ourselves
  draining: {
    status: 503,
    error: 'destination_unavailable',
    side: 'sidecar',
    text: 'The sidecar is stopping.',
    advice: 'Nothing while it is being replaced; a longer --drain-delay lets clients move on first.',
  },
  internal_error: {
    status: 500,
    error: 'proxy_internal_error',
    side: 'sidecar',
    text: 'The sidecar failed; its log says why.',
    advice: 'A defect of the sidecar: please report the log line `internal error`.',
  },
} satisfies Record<string, Row>;

export type Reason = keyof typeof TABLE;

/** The one frozen rejection of each reason: a value that is passed on, never thrown. */
export const REJECTIONS = Object.freeze(
  Object.fromEntries(
    Object.entries<Row>(TABLE).map(([reason, row]) => [reason, Object.freeze({ reason: reason as Reason, ...row })]),
  ),
) as Readonly<Record<Reason, Rejection>>;

/** The system's error code (`ECONNREFUSED`), or an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
