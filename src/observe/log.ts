// The pino instance: one JSON line per event, written in the background. Messages are constant; facts are fields.

import { type Logger, type LoggerOptions, pino, stdSerializers } from 'pino';
import { bounded } from './bounded.ts';
import { formatOptions, type LogFormat, lineMaker } from './log-format.ts';
import { createLogWriter } from './log-writer.ts';

export type Log = Logger;

export type LogOutput = {
  readonly log: Log;
  /** Writes what is buffered, as far as somebody reads it. What is logged afterwards is lost. */
  end(): Promise<void>;
};

/** Fields that are JSON already, as `"a":1,"b":2`, at least one: for the line of each request. The fields of a child logger are not added. */
export class JsonFields {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Of the message and of the stack of an error, which may quote what a client sent. */
const MAX_ERROR_TEXT = 4096;

export type LogOptions = {
  readonly level: string;
  readonly format: LogFormat;
  /** Called for every line that was lost because stdout is not read. */
  readonly onDropped: () => void;
};

export function createLog({ onDropped, ...form }: LogOptions): LogOutput {
  const { write, end } = createLogWriter(onDropped);
  return { log: logTo(write, form), end };
}

/** Gives each line, with its end, to `write`. */
export function logTo(write: (line: string) => void, { level, format }: Omit<LogOptions, 'onDropped'>): Log {
  const options = formatOptions(format);
  const lineOf = lineMaker(options);
  const hooks: LoggerOptions['hooks'] = {
    logMethod(args, method, levelNumber) {
      const [fields, message] = args as unknown[];
      if (fields instanceof JsonFields)
        write(lineOf(this.levels.labels[levelNumber] ?? '', fields.text, String(message)));
      else method.apply(this, args);
    },
  };
  return pino({ level, ...options, hooks, serializers: { err: boundedError } }, { write });
}

/** An error as pino tells it, without the objects that hang on it, and each text at a length that a line can take. */
export function boundedError(error: unknown): unknown {
  if (!(error instanceof Error)) return bounded(String(error), MAX_ERROR_TEXT);
  const facts = Object.entries(stdSerializers.err(error)).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'string') return [[name, bounded(value, MAX_ERROR_TEXT)]];
    return typeof value === 'object' || typeof value === 'function' ? [] : [[name, value]];
  });
  return Object.fromEntries(facts);
}
