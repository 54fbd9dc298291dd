// A client's socket without a network: the test sends bytes, and takes what was written when it wants to.

import { Duplex } from 'node:stream';

export class FakeSocket extends Duplex {
  /** What was written and taken. */
  sent = '';
  /** Whether the client takes what is written. */
  takes = true;
  /** What Node's own sockets have; src/net/taken.ts looks at it. */
  readonly _handle = { bytesWritten: 0, writeQueueSize: 0 };
  #waiting: { text: string; done: () => void } | undefined = undefined;

  constructor() {
    super({ allowHalfOpen: false, decodeStrings: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._handle.bytesWritten += chunk.length;
    this._handle.writeQueueSize = chunk.length;
    this.#waiting = { text: chunk.toString('latin1'), done };
    if (this.takes) this.takeAll();
  }

  override _final(done: () => void): void {
    done();
  }

  /** The client takes what waits. */
  takeAll(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.sent += waiting.text;
    this._handle.writeQueueSize = 0;
    waiting.done();
  }

  /** The client takes a part of what waits, and goes on waiting with the rest. */
  sip(bytes: number): void {
    this._handle.writeQueueSize -= bytes;
  }

  /** The client sends. Its bytes arrive in a later turn. */
  async send(bytes: Buffer | string | null): Promise<void> {
    this.push(bytes);
    await turn();
  }
}

/** Lets everything happen that is due. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
