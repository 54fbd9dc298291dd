// The socket of one HTTP/1.x connection: what comes is passed to its reader, what is written leaves in few writes, and a throw
// in any of its callbacks ends this connection alone. After handOver() and leave() nothing is passed on but the close.

import type { Duplex } from 'node:stream';
import type { Account } from '../../net/budget.ts';
import { type Guarded, guarded, ignoreError } from '../../net/guard.ts';
import { takenBytes } from '../../net/taken.ts';
import { ClientReads } from '../client-reads.ts';

/** Who owns the connection. */
export interface SocketReader extends Guarded {
  /** `bytes` are good during the call only. */
  read(bytes: Buffer): void;
  /** The client does not take what was written as fast as it is given: `blocked` is true, until drained(). */
  fellBehind(): void;

  drained(): void;
  /** The client has ended its direction. */
  clientEnded(): void;
  /** Called once, at the end of every connection. */
  closed(): void;
}

export class ClientSocket {
  readonly #socket: Duplex;
  readonly #reader: SocketReader;
  readonly #account: Account;
  /** Bytes that wait for the client, as they are counted. */
  #waiting = 0;
  readonly #reads: ClientReads;
  readonly #onDrain: (_: unknown) => void;
  readonly #onEnd: (_: unknown) => void;
  readonly #onWritten: (_: unknown) => void;
  /** What the writes under way call when they are done, in their order: no closure for each of them. */
  readonly #releases: (() => void)[] = [];

  constructor(socket: Duplex, reader: SocketReader, account: Account) {
    this.#socket = socket;
    this.#account = account;
    this.#reader = reader;
    this.#onDrain = guarded(reader, () => this.#drained());
    this.#onEnd = guarded(reader, () => reader.clientEnded());
    this.#onWritten = guarded(reader, () => this.#releases.shift()?.());
    const onData = guarded(reader, (bytes: Buffer) => reader.read(bytes));
    this.#reads = new ClientReads(socket, onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignoreError);
    const onClose = guarded(reader, () => this.#closed());
    socket.on('close', onClose);
  }

  /** What was written waits for the client. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes that the client has taken. */
  get taken(): number {
    return takenBytes(this.#socket);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Nothing, where there is no text. */
  write(text: string): void {
    // An empty write would read what waits in the connection's buffers, in the midst of a read (client-reads.ts).
    if (text !== '' && !this.#socket.write(text, 'latin1')) this.#fellBehind();
  }

  /** Text and bytes in one write to the system; `release` is called when the bytes have been taken. */
  writeWith(text: string, bytes: Buffer, release: (() => void) | undefined): void {
    const socket = this.#socket;
    if (text !== '') {
      socket.cork();
      socket.write(text, 'latin1');
    }
    if (release === undefined) {
      socket.write(bytes);
    } else {
      this.#releases.push(release);
      socket.write(bytes, this.#onWritten);
    }
    if (text !== '') socket.uncork();
    if (this.blocked) this.#fellBehind();
  }

  /** Writes the head of a 101; `rest` is what was read already of the byte stream behind it. */
  handOver(head: string, rest: Buffer | undefined): Duplex {
    const socket = this.#socket;
    this.#letGo();
    this.#count(0);
    socket.pause();
    // From here on the end of one direction is the tunnel's to pass on.
    socket.allowHalfOpen = true;
    socket.write(head, 'latin1');
    if (rest !== undefined) socket.unshift(rest);
    return socket;
  }

  /** The bytes, and the end, are somebody else's. */
  leave(): Duplex {
    this.#letGo();
    return this.#socket;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #fellBehind(): void {
    this.#count(this.#socket.writableLength);
    this.#reader.fellBehind();
  }

  #drained(): void {
    this.#count(0);
    this.#reader.drained();
  }

  #closed(): void {
    this.#count(0);
    this.#reader.closed();
  }

  #count(waiting: number): void {
    this.#account.count(waiting - this.#waiting);
    this.#waiting = waiting;
  }

  #letGo(): void {
    const socket = this.#socket;
    this.#reads.leave();
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
  }
}
