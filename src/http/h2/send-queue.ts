// Which stream sends next, of those that have bytes waiting: the most urgent first (RFC 9218 section 4.1), and round robin
// among those that are equally urgent, a frame each.

import type { H2Stream } from './stream.ts';

/** RFC 9218 section 4.1. */
export const DEFAULT_URGENCY = 3;
const LEVELS = 8;

export class SendQueue {
  readonly #levels: H2Stream[][] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(stream: H2Stream): void {
    if (stream.queued) return;
    stream.queued = true;
    this.#length++;
    while (this.#levels.length < LEVELS) this.#levels.push([]);
    (this.#levels[stream.urgency] as H2Stream[]).push(stream);
  }

  /** Takes out whose turn it is. */
  next(): H2Stream | undefined {
    if (this.#length === 0) return undefined;
    for (const level of this.#levels) {
      const stream = level.shift();
      if (stream === undefined) continue;
      stream.queued = false;
      this.#length--;
      return stream;
    }
    return undefined;
  }

  /** It was not its turn after all. */
  putBack(stream: H2Stream): void {
    stream.queued = true;
    this.#length++;
    (this.#levels[stream.urgency] as H2Stream[]).unshift(stream);
  }

  delete(stream: H2Stream): void {
    if (!stream.queued) return;
    stream.queued = false;
    this.#length--;
    for (const level of this.#levels) {
      const at = level.indexOf(stream);
      if (at >= 0) level.splice(at, 1);
    }
  }
}

/** The urgency that a `priority` field or a PRIORITY_UPDATE names, or the default. */
export function urgencyOf(value: string): number {
  const found = /(?:^|[\s,])u=([0-7])(?:$|[\s,;])/.exec(value)?.[1];
  return found === undefined ? DEFAULT_URGENCY : Number(found);
}
