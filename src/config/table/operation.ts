// The options of operation: how the sidecar stops, and how it is watched.

import { listOption, option } from '../option.ts';
import { optional, parseAddressOrOff, parseCollector, parseDuration, parseWord } from '../parse.ts';
import { parseProbe, withoutHeaderValues } from '../probe.ts';

export const OPERATION_OPTIONS = {
  'drain-delay': option({
    group: 'Stopping',
    default: '0s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'On SIGTERM: not ready, but still serving and accepting, for this long; skipped if the app no longer accepts connections.',
  }),
  'drain-timeout': option({
    group: 'Stopping',
    default: '25s',
    takes: 'DURATION',
    parse: parseDuration,
    help: 'Time from SIGTERM, including the delay, until whatever is left is cut.',
  }),
  admin: option({
    group: 'Observing',
    default: ':9901',
    takes: '[HOST]:PORT|off',
    parse: parseAddressOrOff,
    help: 'Address of health, readiness and metrics, over plain HTTP.',
  }),
  probe: listOption({
    group: 'Observing',
    default: '',
    takes: 'KIND:PORT[/PATH]',
    parse: parseProbe,
    shown: withoutHeaderValues,
    help: 'What GET /probe/KIND/PORT[/PATH] of --admin asks the app, as http:80/healthz (headers: ;Name=value), https:8443/, tcp:5432 or grpc:9000/SERVICE. Repeatable.',
  }),
  'access-log': option({
    group: 'Observing',
    default: 'all',
    takes: 'all|errors|off',
    parse: parseWord('all', 'errors', 'off'),
    help: 'Which requests are logged.',
  }),
  'trace-otlp': option({
    group: 'Observing',
    default: '',
    takes: 'URL',
    parse: optional(parseCollector),
    help: "Where a span of each request is exported to by OTLP over HTTP, as http://collector:4318; OpenTelemetry's own OTEL_ variables say the rest.",
  }),
  'log-level': option({
    group: 'Observing',
    default: 'info',
    takes: 'trace|debug|info|warn|error|fatal|silent',
    parse: parseWord('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    help: 'Minimum log level; for people, pipe into pino-pretty.',
  }),
  'log-format': option({
    group: 'Observing',
    default: 'json',
    takes: 'json|gcp|ecs',
    parse: parseWord('json', 'gcp', 'ecs'),
    help: 'How lines name time, level and message: as pino, as Google Cloud Logging reads them, or as Elastic Common Schema.',
  }),
};
