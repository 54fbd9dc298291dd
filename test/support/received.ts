// The bytes that one end of a connection has received, in order, all of them, and the waiting for more.
// Shared by the recorder (what the app got) and the raw client (what the client got). Never drops and never rewrites a byte.

import { patienceMs } from './poll.ts';

/** Bytes or text to be found, a pattern (matched on latin1 text), or a rule on everything received so far. */
export type Wanted = string | Buffer | RegExp | ((received: Buffer) => boolean);

/** The connection ended before what was waited for came. */
export class EndedError extends Error {}

export class Received {
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  #end: { error: Error | undefined } | undefined;
  readonly #waiting = new Set<() => void>();

  /** Everything so far. A view: later bytes do not change it. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** No more will come: the peer ended, or the connection is gone. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Why it ended, when it was not by the peer's ending it in order. */
  get error(): Error | undefined {
    return this.#end?.error;
  }

  // Grows by doubling: a test that receives 100 MB in 16 KiB records must not copy them 6,000 times.
  push(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
    this.#wake();
  }

  /** The first call counts. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Resolves with all text so far (latin1) once it holds what is wanted; rejects at the deadline (Infinity: none) or when it has ended without. */
  async waitFor(wanted: Wanted, deadlineMs = patienceMs): Promise<string> {
    const found = finder(wanted);
    await this.until(() => found(this.bytes), { deadlineMs, what: describe(wanted) });
    return this.bytes.toString('latin1');
  }

  /** Like waitFor, for a rule that asks about more than the bytes; an end rejects only while the rule does not hold. */
  async until(holds: () => boolean, options: { deadlineMs: number; what: string }): Promise<void> {
    const deadline = performance.now() + options.deadlineMs;
    while (!holds()) {
      if (this.ended) {
        const how = this.error === undefined ? 'ended' : `was cut (${this.error.message})`;
        throw new EndedError(`the connection ${how} before ${options.what}; ${this.#tail()}`, { cause: this.error });
      }
      if (!(await this.#changeBefore(deadline))) {
        throw new Error(`gave up waiting for ${options.what} after ${options.deadlineMs} ms; ${this.#tail()}`);
      }
    }
  }

  #changeBefore(deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (changed: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(changed);
      };
      const wake = (): void => settle(true);
      const leftMs = Math.max(0, deadline - performance.now());
      const timer = leftMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(settle, leftMs, false);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #tail(): string {
    const shown = this.bytes.subarray(-400).toString('latin1');
    return `received ${this.#length} bytes${shown === '' ? '' : `, at the end ${JSON.stringify(shown)}`}`;
  }
}

function finder(wanted: Wanted): (received: Buffer) => boolean {
  if (typeof wanted === 'function') return wanted;
  if (wanted instanceof RegExp) return (received) => received.toString('latin1').search(wanted) !== -1;
  const bytes = typeof wanted === 'string' ? Buffer.from(wanted, 'utf8') : wanted;
  return (received) => received.includes(bytes);
}

function describe(wanted: Wanted): string {
  if (typeof wanted === 'function') return `a match of ${wanted.toString().slice(0, 120)}`;
  if (wanted instanceof RegExp) return `a match of ${String(wanted)}`;
  return `the bytes ${JSON.stringify(wanted.toString())}`;
}
