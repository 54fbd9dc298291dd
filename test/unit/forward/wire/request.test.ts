// The body of a request on its way to the app: its bytes are read before the call is over, whatever becomes of their memory.
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../../src/exchange.ts';
import { RequestWriter } from '../../../../src/forward/wire/request.ts';

/** Takes nothing before it is told to. */
class SlowSocket extends Socket {
  readonly written: Buffer[] = [];
  #go: (() => void) | undefined = undefined;

  override _writev(chunks: { chunk: string | Buffer; encoding: BufferEncoding }[], done: () => void): void {
    this.#go = () => {
      for (const { chunk, encoding } of chunks)
        this.written.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
      done();
    };
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, done: () => void): void {
    this._writev([{ chunk, encoding }], done);
  }

  go(): string {
    for (let go = this.#go; go !== undefined; go = this.#go) {
      this.#go = undefined;
      go();
    }
    return Buffer.concat(this.written).toString('latin1');
  }
}

const HEAD = { method: 'POST', target: '/', headers: [], added: [], upgrade: undefined };

for (const length of [1, 8191, 8192, 16_384, 16_385, 70_000])
  test(`${length} bytes whose memory is written again`, async () => {
    const socket = new SlowSocket();
    const writer = new RequestWriter(socket);
    writer.head({ ...HEAD, bodyLength: UNKNOWN_LENGTH });
    const shared = Buffer.alloc(length);
    const letters = ['\x00', 'b', '\xff'];
    for (const letter of letters) writer.body(shared.fill(letter, 'latin1'));
    shared.fill('z');
    writer.end(undefined);
    await new Promise(setImmediate);
    const chunks = letters.map((letter) => `${length.toString(16)}\r\n${letter.repeat(length)}\r\n`).join('');
    assert.equal(socket.go().split('\r\n\r\n', 1)[0], 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked');
    assert.equal(Buffer.concat(socket.written).toString('latin1').endsWith(`\r\n\r\n${chunks}0\r\n\r\n`), true);
  });
