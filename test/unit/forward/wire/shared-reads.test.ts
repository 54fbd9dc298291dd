// Which buffer a connection to the app reads into: the one of all, or a slab of its own while it reads a large body, which is
// used again when the last of its bytes has been taken.
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import type { Pool } from '../../../../src/forward/pool.ts';
import type { Receiver, Transport } from '../../../../src/forward/transport.ts';
import type { ForwarderOptions } from '../../../../src/forward/upstream.ts';
import { AppConnection } from '../../../../src/forward/wire/connection.ts';
import { type Reader, SharedReads } from '../../../../src/forward/wire/shared-reads.ts';
import { Deadlines } from '../../../../src/net/deadlines.ts';
import type { Slab } from '../../../../src/net/slabs.ts';

const LARGE = 65_536;

class FakeReader implements Reader {
  midBody = false;
  readonly taken: Buffer[] = [];
  readonly slabs: (Slab | undefined)[] = [];

  take(bytes: Buffer, slab: Slab | undefined): void {
    slab?.hold();
    this.taken.push(bytes);
    this.slabs.push(slab);
  }
}

/** As Node does: names a buffer first, and the next one after each read. */
function connect(reads: SharedReads, reader: Reader) {
  const { onread, closed } = reads.into(reader);
  const name = (): Buffer => (onread.buffer as () => Buffer)();
  let next = name();
  return {
    get next() {
      return next;
    },
    read(text: string, length: number): Buffer {
      const buffer = next.fill(text, 0, length);
      onread.callback(length, buffer);
      next = name();
      return buffer;
    },
    closed,
  };
}

test('idle connections and small answers share one buffer', () => {
  const reads = new SharedReads();
  const [one, other] = [new FakeReader(), new FakeReader()];
  const [first, second] = [connect(reads, one), connect(reads, other)];
  assert.equal(first.next, second.next);
  first.read('a', 4096);
  assert.deepEqual(one.slabs, [undefined]);
  assert.equal(first.next, second.next);
});

test('what comes at once of a large body is kept in a slab, and the rest is read into one', () => {
  const reads = new SharedReads();
  const reader = new FakeReader();
  const connection = connect(reads, reader);
  const shared = connection.next;
  reader.midBody = true;
  connection.read('a', LARGE);
  shared.fill('x');
  assert.equal(reader.taken[0]?.toString('latin1'), 'a'.repeat(LARGE));
  assert.notEqual(connection.next, shared);
  const own = connection.read('b', LARGE);
  assert.equal(own, reader.slabs[1]?.buffer);
  assert.notEqual(connection.next, own);
  // Taken by the last who held it, it is the next one's.
  reader.slabs[1]?.release();
  const another = new FakeReader();
  another.midBody = true;
  const beside = connect(reads, another);
  beside.read('c', LARGE);
  assert.equal(another.slabs[0]?.buffer, own);
  connection.closed();
  beside.closed();
});

test('a connection that does not read on holds no slab, however large its answer is', () => {
  const reads = new SharedReads();
  const reader = new FakeReader();
  const connection = connect(reads, reader);
  const shared = connection.next;
  reader.midBody = true;
  connection.read('a', LARGE);
  // Its taker has paused it.
  reader.midBody = false;
  connection.read('b', LARGE);
  assert.equal(connection.next, shared);
  assert.equal(reader.slabs.length, 2);
  assert.equal(reader.taken[1]?.toString('latin1', 0, 3), 'bbb');
});

test('a connection to the app is in a large body while that lasts, but for the time in which it is paused', (t) => {
  const deadlines = new Deadlines(() => 0);
  t.after(() => deadlines.close());
  const options = { limits: {}, clock: () => 0, deadlines } as unknown as ForwarderOptions;
  const connection = new AppConnection({ left() {} } as unknown as Pool<Transport, AppConnection>, options);
  const socket = new Socket();
  t.after(() => connection.abandon());
  connection.attach(socket);
  const request = { method: 'GET', target: '/', headers: [], added: [], bodyLength: 0, upgrade: undefined };
  const receiver = { answerHead() {}, answerBody() {}, settle() {} } as unknown as Receiver;
  connection.send(request, receiver);
  assert.equal(connection.midBody, false);
  connection.take(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbegun'), undefined);
  assert.equal(connection.midBody, true);
  connection.pauseAnswer();
  assert.equal(connection.midBody, false);
  connection.resumeAnswer();
  assert.equal(connection.midBody, true);
});
