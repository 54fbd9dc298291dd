// The lines of the log on their way to stdout: gathered, and written in the background, so that a slow reader of stdout never
// delays a request. Lines that cannot be kept are dropped and counted.

import type { EventEmitter } from 'node:events';
import { destination } from 'pino';

/** As much as one write takes: handed over by the line, each would be copied and measured again with every one that follows. */
const BATCH_CHARACTERS = 16_000;
const MAX_WAITING_BYTES = 8 << 20;
/** What a SIGKILL may cost. */
const FLUSH_MS = 100;
/** How long the end waits for a write to be taken, and for all of them. */
const END_SILENCE_MS = 1000;
const END_LIMIT_MS = 5000;

export interface LogWriter {
  /** Takes whole lines, with their ends. After the end they are lost. */
  write(this: void, lines: string): void;
  /** Writes what is left, as far as somebody reads it. */
  end(this: void): Promise<void>;
}

/** `onDropped` is called for every line that found no room because stdout is not read, and once for each write that failed. */
export function createLogWriter(onDropped: () => void): LogWriter {
  const stream = destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  stream.on('drop', (lines: string) => {
    for (let at = lines.indexOf('\n'); at >= 0; at = lines.indexOf('\n', at + 1)) onDropped();
  });
  // stdout closed (EPIPE) must not end the service.
  stream.on('error', onDropped);
  let gathered = '';
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const handOver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const lines = gathered;
    gathered = '';
    // An empty write, or one after the end, would throw.
    if (lines !== '') stream.write(lines);
  };
  return {
    write(lines) {
      if (ended) return;
      gathered += lines;
      if (gathered.length >= BATCH_CHARACTERS) handOver();
      else timer ??= setTimeout(handOver, FLUSH_MS).unref();
    },
    async end() {
      handOver();
      ended = true;
      await written(stream);
      // Otherwise pino's exit hook would write again, and wait for a reader that does not come.
      stream.destroy();
    },
  };
}

/** Of pino's destination: it tells of each write that was taken, and of its end. */
type Ending = Pick<EventEmitter, 'on' | 'once'> & { end(): void };

/** Ends it; resolves when all is written, or when nobody has read for a second, and after five at the latest. For its test. */
export function written(stream: Ending, clock: () => number = () => performance.now()): Promise<void> {
  const latestMs = clock() + END_LIMIT_MS;
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    let writes = 0;
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const wait = (): void => {
      const before = writes;
      // After a stall, what was written meanwhile is seen first.
      const late = (): void => void setImmediate(() => (writes === before || clock() >= latestMs) && end());
      clearTimeout(timer);
      timer = setTimeout(late, Math.min(END_SILENCE_MS, latestMs - clock()));
    };
    stream.on('write', () => {
      writes += 1;
      wait();
    });
    stream.once('close', end);
    wait();
    // Not flush(): it calls back after the current write, and leaves behind what came later.
    stream.end();
  });
}
