// The pino instance: one JSON line an event, written in the background so that a slow reader of stdout never holds a
// request up. Lines that cannot be kept are dropped and counted. Messages are constant; facts are fields.

import { type Logger, pino, destination as pinoDestination } from 'pino';

export type Log = Logger;

export type LogOutput = {
  readonly log: Log;
  /** Writes out what is buffered, as far as somebody reads it. Nothing can be logged after it. */
  end(): Promise<void>;
};

const BUFFER_BYTES = 4096;
const MAX_WAITING_BYTES = 8 << 20;
const FLUSH_MS = 500;
/** How long the end waits for somebody to read the log. */
const END_LIMIT_MS = 1000;

/** `onDropped` is called for every line that was lost because stdout is not read. */
export function createLog(level: string, onDropped: () => void): LogOutput {
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
  // What is logged after the end has nowhere to go; written, it would throw.
  const write = (line: string): void => void (ended || stream.write(line));
  const log = pino({ level, base: null }, { write });
  return {
    log,
    async end() {
      ended = true;
      // Not flush(): that calls back after the write under way, and what came after it stays behind.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, END_LIMIT_MS);
        stream.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        stream.end();
      });
      // Else pino's exit hook would write again, and wait for a reader that does not come.
      stream.destroy();
    },
  };
}
