// The options of limits: sizes, numbers and times.

import { option } from '../option.ts';
import {
  parseCount,
  parseCountOrAuto,
  parseDuration,
  parseLimit,
  parsePercent,
  parseSize,
  parseSizeOf,
} from '../parse.ts';

export const LIMIT_OPTIONS = {
  'max-connections': option({
    group: 'Limits',
    default: 'auto',
    takes: 'N|auto',
    parse: parseCountOrAuto,
    help: 'Maximum number of client connections. Near it those idle longest are told to go; where all are busy, any more are closed at once. auto: what memory and open files allow.',
  }),
  'max-connection-age': option({
    group: 'Limits',
    default: '0s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'Age, counted from the handshake, at which a client connection is told to go after what is in flight; up to 10 % less, so that not all go at once. 0: never.',
  }),
  'max-client-share': option({
    group: 'Limits',
    default: '50',
    takes: 'PERCENT',
    parse: parsePercent,
    help: "Part of the app's connections and streams that one client may have while others wait, alone it may have all; and of the memory for what is not taken yet. A client is its verified certificate's name, else its address, IPv6 by /64.",
  }),
  'max-header-size': option({
    group: 'Limits',
    default: '16KiB',
    takes: 'SIZE',
    parse: parseSizeOf(1024),
    help: 'Maximum size of a request head; above it, or above 256 fields, the answer is 431.',
  }),
  'handshake-timeout': option({
    group: 'Limits',
    default: '10s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Time from the connection to the end of the TLS handshake, including a PROXY header.',
  }),
  'header-timeout': option({
    group: 'Limits',
    default: '10s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Time from the first byte of a request head to its end; then 408.',
  }),
  'client-timeout': option({
    group: 'Limits',
    default: '60s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Time without a byte from the client, or accepted by it, while one is owed; 408 before the answer, a cut after its head.',
  }),
  'min-body-rate': option({
    group: 'Limits',
    default: '240B',
    takes: 'SIZE',
    parse: parseSize,
    help: 'Bytes a second, averaged over --client-timeout, with which a body must come, and an answer be taken, while they hold a connection to the app; below it as that time-out. 0: none. Not for event streams, gRPC and upgraded connections.',
  }),
  'idle-timeout': option({
    group: 'Limits',
    default: '75s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'How long a client connection with nothing in flight is kept open.',
  }),
  'upstream-connect-timeout': option({
    group: 'Limits',
    default: '5s',
    takes: 'DURATION',
    parse: parseLimit,
    help: 'Longest wait for a connection to the app; then 504, or 503 if all are busy.',
  }),
  'upstream-max-connections': option({
    group: 'Limits',
    default: '256',
    takes: 'N',
    parse: parseCount(1),
    help: 'Maximum number of connections to the app, for each --upstream; further requests wait for a free one.',
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
    help: "How long an idle connection to the app is kept open, unless the app's Keep-Alive says less; 0 for one connection per request.",
  }),
};
