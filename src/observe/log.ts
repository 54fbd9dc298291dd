// The pino instance: one JSON line per event, written in the background so that a slow reader of stdout never delays a
// request. Lines that cannot be kept are dropped and counted. Messages are constant; facts are fields.

import { type Logger, pino, destination as pinoDestination, stdSerializers } from 'pino';
import { bounded } from './bounded.ts';
import { formatOptions, type LogFormat } from './log-format.ts';

export type Log = Logger;

export type LogOutput = {
  readonly log: Log;
  /** Writes what is buffered, as far as somebody reads it. Nothing can be logged afterwards. */
  end(): Promise<void>;
};

const BUFFER_BYTES = 4096;
const MAX_WAITING_BYTES = 8 << 20;
/** What a SIGKILL may cost. */
const FLUSH_MS = 100;
/** How long the end waits for somebody to read the log. */
const END_LIMIT_MS = 1000;
/** Of the message and of the stack of an error, which may quote what a client sent. */
const MAX_ERROR_TEXT = 4096;

export type LogOptions = {
  readonly level: string;
  readonly format: LogFormat;
  /** Called for every line that was lost because stdout is not read. */
  readonly onDropped: () => void;
};

export function createLog({ level, format, onDropped }: LogOptions): LogOutput {
  const stream = pinoDestination({
    fd: 1,
    sync: false,
    minLength: BUFFER_BYTES,
    maxLength: MAX_WAITING_BYTES,
    periodicFlush: FLUSH_MS,
  } as Parameters<typeof pinoDestination>[0] & object);
  stream.on('drop', onDropped);
  // stdout closed (EPIPE) must not end the service.
  stream.on('error', onDropped);
  let ended = false;
  // A write after the end would throw.
  const write = (line: string): void => void (ended || stream.write(line));
  const log = pino({ level, ...formatOptions(format), serializers: { err: boundedError } }, { write });
  return {
    log,
    async end() {
      ended = true;
      // Not flush(): it calls back after the current write, and leaves behind what came later.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, END_LIMIT_MS);
        stream.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        stream.end();
      });
      // Otherwise pino's exit hook would write again, and wait for a reader that does not come.
      stream.destroy();
    },
  };
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
