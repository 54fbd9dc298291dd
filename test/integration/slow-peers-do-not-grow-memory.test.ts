// Back-pressure: a client that reads slowly slows the app, an app that reads slowly slows the client, and a client that asks for
// more and reads nothing is not answered into memory. 256 MiB each way, so that it takes seconds here; SLOW_MIB=1024 for more.

import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { mostGrowth } from '../support/growth.ts';
import { eventually } from '../support/poll.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const BYTES = Number(process.env.SLOW_MIB ?? 256) * 1024 * 1024;
/** Of 12 KiB: what sockets and TLS may hold, several times over. */
const MAX_ANSWERS = 6000;
const PIECE = Buffer.alloc(256 * 1024, 'x');

type Behaviour = (socket: Socket, head: string) => void;

async function openApp(behave: Behaviour) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    let head = '';
    const read = (bytes: Buffer): void => {
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', read);
      behave(socket, head);
    };
    socket.on('data', read);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server };
}

function open(lane: Lane): Socket {
  const socket = connect({
    port: lane.sidecar.port,
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
  });
  socket.on('error', () => {});
  return socket;
}

/** Writes until `bytes` have been given to the socket, as it takes them. */
function pour(socket: Socket, bytes: number): void {
  let left = bytes;
  const fill = (): void => {
    while (left > 0 && !socket.destroyed) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
  };
  socket.on('drain', fill);
  fill();
}

/** Counts what arrives; after every `every` bytes the reader takes a rest until nothing moves any more. */
function sip(socket: Socket, moved: () => number, every: number): { count(): number } {
  let count = 0;
  let next = every;
  socket.on('data', (bytes: Buffer) => {
    count += bytes.length;
    if (count < next) return;
    next = count + every;
    socket.pause();
    void still(moved).then(() => socket.resume());
  });
  return { count: () => count };
}

/** Resolves when a figure has been the same for ten looks, or has reached `enough`. */
async function still(figure: () => number, enough = Number.POSITIVE_INFINITY): Promise<void> {
  let last = Number.NaN;
  let same = 0;
  await eventually(
    () => {
      const now = figure();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 10 || now >= enough;
    },
    { what: 'standstill', everyMs: 10 },
  );
}

async function peakWhile(lane: Lane, done: () => boolean): Promise<number> {
  let peak = 0;
  const look = (): boolean => {
    peak = Math.max(peak, lane.sidecar.rssBytes());
    return done();
  };
  await eventually(look, { what: 'the last byte', everyMs: 10 });
  return peak;
}

/** One small exchange first, so that code and buffers that any use needs are there. */
async function warm(lane: Lane): Promise<number> {
  for (let n = 0; n < 20; n++) {
    const client = await lane.connect();
    client.send('GET /warm HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
    await client.readResponse();
    client.destroy();
  }
  return lane.sidecar.rssBytes();
}

function assertGrowth({ sidecar }: Lane, peak: number, base: number): void {
  assert.ok(peak - base < mostGrowth(sidecar), `grew by ${Math.round((peak - base) / 1024 / 1024)} MiB`);
}

const WARM = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
const isWarm = (head: string): boolean => head.startsWith('GET /warm');

for (const forwarder of forwarders) {
  test(`${forwarder}: a slow reader of ${BYTES / 1024 / 1024} MiB`, async () => {
    let source: Socket | undefined;
    const app = await openApp((socket, head) => {
      if (isWarm(head)) return void socket.end(WARM);
      source = socket;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\n\r\n`);
      pour(socket, BYTES);
    });
    const lane = await openLane({ forwarder, upstream: app.port });
    after(async () => {
      await lane.close();
      app.server.close();
    });
    const base = await warm(lane);
    const client = open(lane);
    client.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    const reader = sip(client, () => source?.bytesWritten ?? 0, BYTES / 8);
    assertGrowth(lane, await peakWhile(lane, () => reader.count() >= BYTES), base);
    client.destroy();
    source?.destroy();
  });

  for (const coding of ['length', 'chunked']) {
    test(`${forwarder}: a slow app and an upload of ${BYTES / 1024 / 1024} MiB, ${coding}`, async () => {
      let sink: { count(): number } | undefined;
      let last: Socket | undefined;
      let client: Socket | undefined;
      const app = await openApp((socket, head) => {
        if (isWarm(head)) return void socket.end(WARM);
        last = socket;
        sink = sip(socket, () => client?.bytesWritten ?? 0, BYTES / 8);
      });
      const lane = await openLane({ forwarder, upstream: app.port });
      after(async () => {
        await lane.close();
        app.server.close();
      });
      const base = await warm(lane);
      client = open(lane);
      if (coding === 'length') client.write(`POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${BYTES}\r\n\r\n`);
      else
        client.write(
          `POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n${BYTES.toString(16)}\r\n`,
        );
      pour(client, BYTES);
      // The first read of the app held the head and perhaps some of the body.
      assertGrowth(lane, await peakWhile(lane, () => (sink?.count() ?? 0) >= BYTES - 128 * 1024), base);
      client.destroy();
      last?.destroy();
    });
  }

  test(`${forwarder}: a client that pipelines requests and reads no answer`, async () => {
    // Small enough to come, and to be passed on, in one read: there is no second one to hold back.
    const body = Buffer.alloc(12 * 1024, 'y');
    let answered = 0;
    const sockets = new Set<Socket>();
    const app = await openApp((socket, head) => {
      if (isWarm(head)) return void socket.end(WARM);
      sockets.add(socket);
      const answer = (text: string): void => {
        for (let n = text.split('\r\n\r\n').length - 1; n > 0; n--) {
          answered++;
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
          socket.write(body);
        }
      };
      socket.on('data', (bytes) => answer(bytes.toString('latin1')));
      answer(head);
    });
    const lane = await openLane({ forwarder, upstream: app.port, args: ['--access-log', 'off'] });
    after(async () => {
      await lane.close();
      app.server.close();
    });
    const base = await warm(lane);
    const client = open(lane);
    client.pause();
    client.write('GET /p HTTP/1.1\r\nHost: app.test\r\n\r\n'.repeat(20_000));
    await eventually(() => answered > 10, { what: 'first answers' });
    await still(() => answered, MAX_ANSWERS);
    assert.ok(answered < MAX_ANSWERS, `${answered} answers of 12 KiB for nobody`);
    assertGrowth(lane, lane.sidecar.rssBytes(), base);
    client.destroy();
    for (const socket of sockets) socket.destroy();
  });
}
