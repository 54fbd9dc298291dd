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
  const beginnings = new Map<string, string>();
  const opened = inObject(base ?? {}) + (nestedKey === undefined ? ',' : `,${JSON.stringify(nestedKey)}:{`);
  const closed = `${nestedKey === undefined ? '' : '}'},${JSON.stringify(messageKey)}:`;
  return (level: string, fields: string, message: string): string => {
    let beginning = beginnings.get(level);
    if (beginning === undefined) {
      beginning = `{${inObject(formatters.level(level)).slice(1)}`;
      beginnings.set(level, beginning);
    }
    return `${beginning}${timestamp()}${opened}${fields}${closed}${JSON.stringify(message)}}\n`;
  };
}

/** `,"a":1`, or nothing. */
function inObject(fields: object): string {
  const text = JSON.stringify(fields).slice(1, -1);
  return text === '' ? '' : `,${text}`;
}

const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z"`);

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
    return start + MILLISECONDS[ms];
  };
}
