// A socket without a network, for what stands before the handshake: bytes are pushed in, and what was done to it is kept.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export class FakeSocket extends Duplex {
  readonly remoteAddress: string | undefined;
  /** What was written, and what was put back. */
  readonly putBack: Buffer[] = [];
  /** Resolves once it has said `close`. */
  readonly gone: Promise<void>;

  constructor(remoteAddress: string | undefined = '192.0.2.7') {
    super({ allowHalfOpen: true });
    this.remoteAddress = remoteAddress;
    this.on('error', () => {});
    this.gone = new Promise((resolve) => void this.once('close', () => resolve()));
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }

  /** As if these bytes had come in one read. */
  receive(bytes: Buffer | string): void {
    this.emit('data', Buffer.from(bytes as string, 'latin1'));
  }

  override unshift(chunk: Buffer): void {
    this.putBack.push(chunk);
  }

  override _read(): void {
    // Bytes come by receive().
  }

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}
