// How a line begins, by what collects it: the names and spellings of time, level and message. Everything else is the same.
//   json  level, time, msg: what people and pino-pretty read
//   gcp   severity, time, message, which Google Cloud Logging takes out of the line:
//         https://docs.cloud.google.com/logging/docs/structured-logging
//   ecs   log.level, @timestamp, message, as https://www.elastic.co/docs/reference/ecs/logging/intro has it; the other fields
//         stand under tls_sidecar, because ECS has objects called client, host and tls, and Elasticsearch refuses texts there

import type { LoggerOptions } from 'pino';

export type LogFormat = 'json' | 'gcp' | 'ecs';

/** What pino is told of a format. */
export type FormatOptions = Pick<LoggerOptions, 'base' | 'messageKey' | 'nestedKey'> & {
  readonly timestamp: () => string;
  readonly formatters: { readonly level: (label: string) => object };
};

const SEVERITY: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};
const ECS_VERSION = '8.11.0';

export function formatOptions(format: LogFormat): FormatOptions {
  if (format === 'gcp') {
    const level = (label: string): object => ({ severity: SEVERITY[label] ?? 'DEFAULT' });
    return { base: null, messageKey: 'message', timestamp: isoTime('time'), formatters: { level } };
  }
  if (format === 'ecs') {
    const level = (label: string): object => ({ 'log.level': label });
    return {
      base: { 'ecs.version': ECS_VERSION },
      messageKey: 'message',
      nestedKey: 'tls_sidecar',
      timestamp: isoTime('@timestamp'),
      formatters: { level },
    };
  }
  return { base: null, timestamp: isoTime('time'), formatters: { level: (label) => ({ level: label }) } };
}

/** Makes of fields that are JSON already, as `"a":1,"b":2` and at least one, the line that pino would make of their object. */
export function lineMaker({ base, messageKey = 'msg', nestedKey, timestamp, formatters }: FormatOptions) {
  const opened = `,${base ? `${inside(base)},` : ''}${nestedKey === undefined ? '' : `${JSON.stringify(nestedKey)}:{`}`;
  const closed = `${nestedKey === undefined ? '' : '}'},${JSON.stringify(messageKey)}:`;
  const beginning = remembered((level) => `{${inside(formatters.level(level))}`);
  const ending = remembered((message) => `${closed}${JSON.stringify(message)}}\n`);
  return (level: string, fields: string, message: string): string =>
    `${beginning(level)}${timestamp()}${opened}${fields}${ending(message)}`;
}

/** What stands between the braces. */
function inside(fields: object): string {
  return JSON.stringify(fields).slice(1, -1);
}

/** Made once for each text, of which there are few: levels and messages are constant. */
function remembered(make: (text: string) => string): (text: string) => string {
  const made = new Map<string, string>();
  return (text) => {
    let found = made.get(text);
    if (found === undefined) {
      found = make(text);
      made.set(text, found);
    }
    return found;
  };
}

/** 000 to 999. */
export const THREE_DIGITS = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'));

/** The time as a piece of JSON. What is before the milliseconds is made once a second: a date costs more than the rest. */
function isoTime(key: string): () => string {
  let second = Number.NaN;
  let start = '';
  return () => {
    const nowMs = Date.now();
    const ms = nowMs % 1000;
    if (nowMs - ms !== second) {
      second = nowMs - ms;
      start = `,${JSON.stringify(key)}:"${new Date(second).toISOString().slice(0, -4)}`;
    }
    return `${start}${THREE_DIGITS[ms]}Z"`;
  };
}
