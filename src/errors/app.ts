// The reasons for which the app is to blame: it cannot be reached, or its answer cannot be used. Rows of the table of errors.ts.

function upstream(status: number, error: string, text: string, advice: string) {
  return { status, error, side: 'upstream', text, advice } as const;
}

export const APP_ROWS = {
  upstream_refused: upstream(
    502,
    'connection_refused',
    'The app does not accept connections. Is it running, and does it listen on the address of --upstream?',
    'Is the app running, and does it listen on the address of --upstream?',
  ),
  upstream_unresolved: upstream(
    502,
    'dns_error',
    "The app's host name cannot be resolved. See --upstream.",
    'Correct the host of --upstream, or its DNS.',
  ),
  upstream_connect_timeout: upstream(
    504,
    'connection_timeout',
    'The app did not accept a connection within --upstream-connect-timeout.',
    'The app hangs or is overloaded, or its address leads nowhere.',
  ),
  upstream_busy: upstream(
    503,
    'connection_limit_reached',
    'All connections to the app are busy (--upstream-max-connections).',
    "More requests at once than --upstream-max-connections, or than the app's HTTP/2 sessions have streams.",
  ),
  upstream_timeout: upstream(
    504,
    'http_response_timeout',
    'The app sent nothing for --upstream-timeout.',
    'The app hangs, or is slower than --upstream-timeout.',
  ),
  upstream_closed: upstream(
    502,
    'connection_terminated',
    'The app closed the connection before its answer was complete.',
    'The app crashed or gave up in the middle: its own log says why.',
  ),
  upstream_malformed: upstream(
    502,
    'http_protocol_error',
    "The app's answer is not valid HTTP.",
    'The app writes something else than HTTP there, or --upstream is the wrong port.',
  ),
  upstream_ambiguous: upstream(
    502,
    'http_protocol_error',
    "The length of the app's answer is ambiguous.",
    'The app sends two lengths; two readers would read two answers.',
  ),
  upstream_header_too_large: upstream(
    502,
    'http_response_header_section_size',
    "The head of the app's answer is too large.",
    'The app sends too large or too many fields, often cookies.',
  ),
  upstream_bad_upgrade: upstream(
    502,
    'http_upgrade_failed',
    'The app does not offer the protocol that was asked for, or changed to another one.',
    'The app does not offer WebSockets there, or answered with something else.',
  ),
};
