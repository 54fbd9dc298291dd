// The options of traffic: where it comes from, where it goes, and what is spoken on either side.

import { listOption, option } from '../option.ts';
import { parseAddress, parseRange, parseSwitch, parseUpstream, parseWord } from '../parse.ts';

export const TRAFFIC_OPTIONS = {
  listen: listOption({
    group: 'Traffic',
    default: ':8080',
    takes: '[HOST]:PORT',
    parse: parseAddress,
    help: 'Address on which TLS is accepted; without a host, all IPv4 and IPv6 addresses. Repeatable, for an app with several ports.',
  }),
  upstream: listOption({
    group: 'Traffic',
    default: 'http://localhost:80',
    takes: 'URL',
    parse: parseUpstream,
    help: 'The app: http://HOST:PORT, h2c://HOST:PORT (HTTP/2 in clear text for all requests) or unix:/PATH. Repeatable: one for each --listen, in the same order, or one for all.',
  }),
  'upstream-protocol': option({
    group: 'Traffic',
    default: 'auto',
    takes: 'auto|http1|h2c',
    parse: parseWord('auto', 'http1', 'h2c'),
    help: 'Protocol spoken to the app; auto is HTTP/1.1, and HTTP/2 in clear text (h2c) for gRPC.',
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
    help: 'What a client that speaks plain HTTP to the TLS port gets: a 400 that says so, a 308 to https, or service, for migrations.',
  }),
  'trust-forwarded': listOption({
    group: 'Traffic',
    default: '',
    takes: 'CIDR',
    parse: parseRange,
    help: 'Proxies, by TCP peer address, whose X-Forwarded-*, Forwarded and X-Request-Id are kept and appended to. Repeatable.',
  }),
  'proxy-protocol': listOption({
    group: 'Traffic',
    default: '',
    takes: 'CIDR',
    parse: parseRange,
    help: 'L4 balancers, by TCP peer address, that must send a PROXY protocol header (version 1 or 2) before TLS; nobody else may. Repeatable.',
  }),
};
