// THE table of the options of `serve`: name, default, what it takes, how it is read, what it is for. Flags, variables,
// keys of the file, --help, the README's table and the type of the configuration all come from here.

import {
  optional,
  parseAddress,
  parseAddressOrOff,
  parseCount,
  parseCountOrAuto,
  parseDuration,
  parseFile,
  parseLimit,
  parseNamePattern,
  parseRange,
  parseSizeOf,
  parseSwitch,
  parseUpstream,
  parseWord,
} from './parse.ts';

export type Option<T> = {
  readonly group: 'Certificates' | 'Clients' | 'Traffic' | 'Limits' | 'Stopping' | 'Observing';
  /** A flag without a value, and its `--no-` form; as text it is `true` or `false`. */
  readonly switch?: true;
  /** As a user would write it. */
  readonly default: string;
  /** What stands behind the flag in --help. */
  readonly takes: string;
  /** Text to value, or a Malformed that says what it takes. */
  readonly parse: (text: string) => T;
  /** One sentence. */
  readonly help: string;
};

/** An option that may be given several times; `parse` reads each value, the default stands for one, or '' for none. */
export type ListOption<T> = Option<T> & { readonly list: true };

function option<T>(spec: Option<T>): Option<T> {
  return spec;
}

function listOption<T>(spec: Option<T>): ListOption<T> {
  return { ...spec, list: true };
}

function allow(what: string) {
  return listOption({
    group: 'Clients',
    default: '',
    takes: 'NAME',
    parse: parseNamePattern,
    help: `Admit only clients whose certificate has ${what}; repeatable, any match of any rule admits.`,
  });
}

export const OPTIONS = {
  cert: listOption({
    group: 'Certificates',
    default: 'certs/tls.crt',
    takes: 'FILE',
    parse: parseFile,
    help: 'PEM certificate chain; may hold its key too, which then counts. Repeatable: chosen by SNI, the first is the default.',
  }),
  key: listOption({
    group: 'Certificates',
    default: 'certs/tls.key',
    takes: 'FILE',
    parse: parseFile,
    help: 'PEM private key: as many as --cert, in the same order, or none when every --cert holds its own.',
  }),
  'wait-for-cert': option({
    group: 'Certificates',
    switch: true,
    default: 'false',
    takes: '',
    parse: parseSwitch,
    help: 'Without a pair that can be served, wait for one with the TLS port closed, instead of exit code 2.',
  }),
  'tls-min-version': option({
    group: 'Certificates',
    default: '1.2',
    takes: '1.2|1.3',
    parse: parseWord('1.2', '1.3'),
    help: 'Oldest TLS that is spoken; 1.2 only with AEAD suites and forward secrecy.',
  }),
  'client-ca': option({
    group: 'Clients',
    default: '',
    takes: 'FILE',
    parse: optional(parseFile),
    help: 'PEM bundle of the authorities that client certificates must be issued by.',
  }),
  'client-auth': option({
    group: 'Clients',
    default: '',
    takes: 'off|request|require',
    parse: optional(parseWord('off', 'request', 'require')),
    help: 'Whether clients are asked for a certificate, and whether they must have one; without this, require where --client-ca is given.',
  }),
  'allow-cn': allow('this common name, as web-*'),
  'allow-ou': allow('this organizational unit'),
  'allow-dns': allow('this DNS name, as *.clients.example'),
  'allow-uri': allow('this URI, as spiffe://cluster.local/ns/*/sa/web'),
  listen: option({
    group: 'Traffic',
    default: ':8080',
    takes: '[HOST]:PORT',
    parse: parseAddress,
    help: 'Where TLS is accepted; without a host, on all addresses of both families.',
  }),
  upstream: option({
    group: 'Traffic',
    default: 'http://localhost:80',
    takes: 'URL',
    parse: parseUpstream,
    help: 'The app: http://HOST:PORT, h2c://HOST:PORT (HTTP/2 in clear text for all) or unix:/PATH.',
  }),
  'upstream-protocol': option({
    group: 'Traffic',
    default: 'auto',
    takes: 'auto|http1|h2c',
    parse: parseWord('auto', 'http1', 'h2c'),
    help: 'What is spoken to the app: auto is HTTP/1.1, and HTTP/2 in clear text (h2c) for gRPC.',
  }),
  forwarder: option({
    group: 'Traffic',
    default: 'wire',
    takes: 'wire|http-proxy',
    parse: parseWord('wire', 'http-proxy'),
    help: "What carries requests to the app: the sidecar's own forwarder, or the http-proxy package behind the same rules.",
  }),
  http2: option({
    group: 'Traffic',
    switch: true,
    default: 'true',
    takes: '',
    parse: parseSwitch,
    help: 'Offer HTTP/2 to clients; --no-http2 offers HTTP/1.1 only.',
  }),
  plaintext: option({
    group: 'Traffic',
    default: 'reject',
    takes: 'reject|redirect|forward',
    parse: parseWord('reject', 'redirect', 'forward'),
    help: 'What a client gets that speaks plain HTTP to the TLS port: a 400 that says so, a 308 to https, or service, for migrations.',
  }),
  'trust-forwarded': listOption({
    group: 'Traffic',
    default: '',
    takes: 'CIDR',
    parse: parseRange,
    help: 'Repeatable: proxies, by TCP peer, whose X-Forwarded-*, Forwarded and X-Request-Id are kept and appended to.',
  }),
  'proxy-protocol': listOption({
    group: 'Traffic',
    default: '',
    takes: 'CIDR',
    parse: parseRange,
    help: 'Repeatable: L4 balancers, by TCP peer, that must send a PROXY protocol header (version 1 or 2) before TLS; nobody else may.',
  }),
  'max-connections': option({
    group: 'Limits',
    default: 'auto',
    takes: 'N|auto',
    parse: parseCountOrAuto,
    help: 'Most client connections at once; a further one is closed at once. auto: what memory and open files allow.',
  }),
  'max-connection-age': option({
    group: 'Limits',
    default: '0s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'How long after its handshake (up to 10 % less) a client connection is told to go, after what is in flight; 0 for never.',
  }),
  'max-header-size': option({
    group: 'Limits',
    default: '16KiB',
    takes: 'SIZE',
    parse: parseSizeOf(1024),
    help: 'Largest request head; above it, or above 256 fields, the answer is 431.',
  }),
  'handshake-timeout': option({
    group: 'Limits',
    default: '10s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'From the connection to the end of the TLS handshake, a PROXY header included.',
  }),
  'header-timeout': option({
    group: 'Limits',
    default: '10s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'From the first byte of a request head to its end; then 408.',
  }),
  'client-timeout': option({
    group: 'Limits',
    default: '60s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Time without a byte from the client, or accepted by it, while one is owed; 408 before the answer, a cut after its head.',
  }),
  'idle-timeout': option({
    group: 'Limits',
    default: '75s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'How long a client connection with nothing in flight is kept.',
  }),
  'upstream-connect-timeout': option({
    group: 'Limits',
    default: '5s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Longest wait for a connection to the app; then 504, or 503 when all are busy.',
  }),
  'upstream-max-connections': option({
    group: 'Limits',
    default: '256',
    takes: 'N',
    parse: parseCount(1),
    help: 'Most connections to the app at once; further requests wait for one.',
  }),
  'upstream-timeout': option({
    group: 'Limits',
    default: '60s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Time without a byte from the app while one is owed; 504 before its head, a cut after it; event streams and upgraded connections may be silent.',
  }),
  'upstream-idle-timeout': option({
    group: 'Limits',
    default: '4s',
    takes: 'DURATION',
    parse: parseDuration,
    help: "How long a free connection to the app is kept, if the app's Keep-Alive does not say less; 0 for one connection a request.",
  }),
  'drain-delay': option({
    group: 'Stopping',
    default: '0s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'On SIGTERM: not ready, but still serving and accepting, for this long; skipped when the app no longer accepts.',
  }),
  'drain-timeout': option({
    group: 'Stopping',
    default: '25s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'From SIGTERM, the delay included, to the moment when whatever is left is cut.',
  }),
  admin: option({
    group: 'Observing',
    default: ':9901',
    takes: '[HOST]:PORT|off',
    parse: parseAddressOrOff,
    help: 'Health, readiness and metrics over plain HTTP.',
  }),
  'access-log': option({
    group: 'Observing',
    default: 'all',
    takes: 'all|errors|off',
    parse: parseWord('all', 'errors', 'off'),
    help: 'Which requests get a line in the log.',
  }),
  'log-level': option({
    group: 'Observing',
    default: 'info',
    takes: 'LEVEL',
    parse: parseWord('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    help: 'Least level that is logged; for people, pipe into pino-pretty.',
  }),
};

export function isList(name: OptionName): boolean {
  return 'list' in OPTIONS[name];
}

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

/** The variable of an option: `--upstream-timeout` is TLS_SIDECAR_UPSTREAM_TIMEOUT. */
export function variableOf(name: string): string {
  return `TLS_SIDECAR_${name.replaceAll('-', '_').toUpperCase()}`;
}
