// The pino instance: one JSON line an event, written in the background so that a slow reader of stdout never holds a
// request up. Lines that cannot be kept are dropped and counted. Messages are constant; facts are fields.

import { type DestinationStream, type Logger, pino, destination as pinoDestination } from 'pino';

export type Log = Logger;

export type LogOutput = {
  readonly log: Log;
  /** Writes out what is buffered, as far as somebody reads it; for the very end. */
  flush(): Promise<void>;
};

const BUFFER_BYTES = 4096;
const MAX_WAITING_BYTES = 8 << 20;
const FLUSH_MS = 500;
/** How long the end waits for somebody to read the log. */
const FLUSH_LIMIT_MS = 1000;

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
  const log = pino({ level, base: null }, stream as DestinationStream);
  return {
    log,
    async flush() {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, FLUSH_LIMIT_MS);
        stream.flush(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      // Else pino's exit hook would write again, and wait for a reader that does not come.
      stream.destroy();
    },
  };
}
