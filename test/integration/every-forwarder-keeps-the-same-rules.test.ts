// Trailers, interim answers, upgrades and a client that never reads: one rule each, whichever forwarder carries the exchange and
// whichever version the client speaks.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer as createH2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, type Field, headers, rstStream } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { answerEach, createRecorder, type Recorder } from '../support/recorder.ts';
import { type Lane, openLane } from '../support/stage.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function openRecordedApp(answer = OK): Promise<Recorder> {
  return createRecorder(answerEach(() => answer));
}

/** RFC 6455 section 4.2.2. */
function proofOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** What may not be said, or may be said once only, in the words of a client that says it behind its body. */
const FORGED: readonly Field[] = [
  ['te', 'trailers'],
  ['te', 'trailers'],
  ['x-forwarded-for', '6.6.6.6'],
  ['x-forwarded-client-cert', 'Subject="CN=admin"'],
  ['x.forwarded.for', '6.6.6.6'],
  ['x-real-ip', '6.6.6.6'],
  ['x_real_ip', '6.6.6.6'],
  ['forwarded', 'for=6.6.6.6'],
  ['x-request-id', 'mine'],
  ['host', 'evil.test'],
  ['content-length', '5'],
  ['x-sum', '42'],
];
const LINES = FORGED.map(([name, value]) => `${name}: ${value}\r\n`).join('');
const CHUNKED = `POST /t HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${LINES}\r\n`;

describe('trailers of a request', () => {
  describe('at an app of HTTP/1.1', () => {
    for (const forwarder of ['wire', 'http-proxy'] as const) {
      test(`through ${forwarder}: what may not stand there is dropped, the rest arrives`, async () => {
        const app = await openRecordedApp();
        const lane = await openLane({ forwarder, upstream: app.port });
        const client = await lane.connect();
        client.send(CHUNKED);
        assert.equal((await client.readResponse()).status, 200);
        const [request = ''] = app.requests;
        assert.match(request, /\r\n0\r\nx-sum: 42\r\n\r\n$/i);
        await lane.close();
        await app.close();
        assert.deepEqual(lane.defects, []);
      });
    }
  });

  describe('at an app of HTTP/2', () => {
    let app: Http2Server;
    let lane: Lane;
    let client: H2Client;
    const trailers: string[][] = [];
    before(async () => {
      app = createH2Server();
      app.on('stream', (stream) => {
        stream.on('error', () => {});
        stream.on('trailers', (_fields, _flags, raw?: string[]) => trailers.push(raw ?? []));
        stream.on('end', () => {
          const fields = { 'content-type': 'application/grpc', 'grpc-status': '0' };
          if (!stream.destroyed) stream.respond(fields, { endStream: true });
        });
        stream.resume();
      });
      await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
      const upstream = `h2c://127.0.0.1:${(app.address() as AddressInfo).port}`;
      lane = await openLane({ forwarder: 'wire', upstream });
      client = await connectH2({ port: lane.sidecar.port });
    });
    after(async () => {
      client.destroy();
      await lane.close();
      app.close();
      assert.deepEqual(lane.defects, []);
    });

    test('of a gRPC call: the process lives, and the app gets what may stand there', async () => {
      trailers.length = 0;
      const id = client.nextId();
      const head = fieldsOf({ ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' });
      // A length in trailers of HTTP/2 ends the stream before anybody could drop it: nghttp2 compares it.
      const forged = FORGED.filter(([name]) => name !== 'content-length');
      client.send(headers(id, head, false), data(id, 'hi'), headers(id, forged));
      assert.ok((await client.over(id)).ended);
      assert.equal(client.status(id), 200);
      assert.deepEqual(trailers, [['x-sum', '42']]);
    });

    test('of a chunked request of HTTP/1.1', async () => {
      trailers.length = 0;
      const raw = await lane.connect();
      raw.send(CHUNKED);
      assert.equal((await raw.readResponse()).status, 200);
      assert.deepEqual(trailers, [['x-sum', '42']]);
    });
  });
});

const HINTS = [
  'HTTP/1.1 103 Early Hints',
  'Connection: close, X-Private',
  'X-Private: 1',
  'Transfer-Encoding: chunked',
  'TE: a',
  'TE: b',
  'Keep-Alive: timeout=5',
  'Content-Length: 5',
  'Upgrade: x',
  'Link: </a.css>',
].join('\r\n');

describe('an interim answer loses what belongs to one hop, and its length', () => {
  for (const forwarder of ['wire', 'http-proxy'] as const) {
    describe(forwarder, () => {
      let app: Recorder;
      let lane: Lane;
      before(async () => {
        // Node's parser, which reads for http-proxy, refuses an interim answer with a body, or that is the last one.
        const hints =
          forwarder === 'wire'
            ? HINTS
            : HINTS.replaceAll(/(?:Transfer-Encoding|Content-Length|Connection|X-Private): .*\r\n/g, '');
        app = await openRecordedApp(`${hints}\r\n\r\n${OK}`);
        lane = await openLane({ forwarder, upstream: app.port });
      });
      after(async () => {
        await lane.close();
        await app.close();
        assert.deepEqual(lane.defects, []);
      });

      test('over HTTP/1.1', async () => {
        const client = await lane.connect();
        client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
        const text = await client.waitFor(/\r\n\r\nok$/);
        const [hints] = text.split('\r\n\r\n');
        assert.equal(hints, 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>');
      });

      test('over HTTP/2', async () => {
        const client = await connectH2({ port: lane.sidecar.port });
        const id = client.request(fieldsOf());
        const { heads } = await client.over(id);
        assert.deepEqual(heads[0], [
          [':status', '103'],
          ['link', '</a.css>'],
        ]);
        assert.equal(client.status(id), 200);
        client.destroy();
      });
    });
  }
});

describe('a tunnel is a connection to the app', () => {
  const ARGS = ['--upstream-max-connections', '3', '--upstream-connect-timeout', '300ms'];
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  let app: Server;
  let lane: Lane;
  let open = 0;
  let most = 0;
  before(async () => {
    app = createServer((socket) => {
      most = Math.max(most, ++open);
      socket.on('close', () => open--);
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        const key = /sec-websocket-key: (\S+)/i.exec(bytes.toString('latin1'))?.[1] ?? '';
        socket.write(`${SWITCH}Sec-WebSocket-Accept: ${proofOf(key)}\r\n\r\n`);
      });
    });
    await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
    lane = await openLane({ forwarder: 'wire', upstream: (app.address() as AddressInfo).port, args: ARGS });
  });
  after(async () => {
    await lane.close();
    app.close();
  });

  test('over HTTP/2: those above --upstream-max-connections wait, and are told that all are busy', async () => {
    const client = await connectH2({ port: lane.sidecar.port });
    const ask = fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' });
    const ids = Array.from({ length: 12 }, () => client.nextId());
    client.send(...ids.map((id) => headers(id, ask, false)));
    await client.until(() => ids.every((id) => client.status(id) !== undefined), 'an answer to each');
    const statuses = ids.map((id) => client.status(id));
    assert.equal(statuses.filter((status) => status === 200).length, 3);
    assert.equal(statuses.filter((status) => status === 503).length, 9);
    assert.equal(most, 3);
    client.send(...ids.map((id) => rstStream(id)));
    await eventually(() => open === 0, { what: 'the end of the tunnels at the app' });
  });

  test('over HTTP/1.1, too; and the end of one makes room', async () => {
    const fields =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n';
    const upgrade = `GET / HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n`;
    const clients = await Promise.all(Array.from({ length: 4 }, () => lane.connect()));
    for (const client of clients.slice(0, 3)) client.send(upgrade);
    for (const client of clients.slice(0, 3)) assert.equal((await client.readResponse()).status, 101);
    clients[3]?.send(upgrade);
    clients[0]?.destroy();
    assert.equal((await clients[3]?.readResponse())?.status, 101);
    assert.equal(most, 3);
    for (const client of clients) client.destroy();
  });
});

describe('a client that never reads and sends a byte at a time', () => {
  const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n';
  const PIECE = Buffer.alloc(1 << 20, 'x');
  /** Of answer bytes: what the kernel's buffers of four sockets hold, and ours. */
  const MOST = 48 << 20;
  let app: Server;
  let lane: Lane;
  /** Bytes that the sidecar has taken of the app's answer, and of the client's request. */
  let taken = 0;
  let received = 0;
  before(async () => {
    app = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        received += bytes.length;
      });
      taken = 0;
      const pour = (): void => {
        while (socket.writable && socket.write(PIECE, () => (taken += PIECE.length)));
      };
      socket.once('data', () => {
        socket.write(ANSWER);
        socket.on('drain', pour);
        pour();
      });
    });
    await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
    lane = await openLane({ forwarder: 'wire', upstream: (app.address() as AddressInfo).port });
  });
  after(async () => {
    await lane.close();
    app.close();
  });

  test('over HTTP/1.1: the app is not read for it', async () => {
    const client = await lane.connect();
    client.socket.pause();
    client.send('POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    await eventually(() => received > 0, { what: 'the request at the app' });
    for (let i = 0; i < 1500; i++) {
      const before = received;
      client.send('1\r\nx\r\n');
      await eventually(() => received > before, { what: 'the chunk at the app', everyMs: 0 });
    }
    assert.ok(taken < MOST, `${taken >> 20} MiB were taken from the app`);
    client.destroy();
  });

  test('over HTTP/2: the app is not read for it', async () => {
    received = 0;
    const client = await connectH2({ port: lane.sidecar.port, refill: false });
    const id = client.nextId();
    client.send(headers(id, fieldsOf({ ':method': 'POST' }), false));
    await eventually(() => received > 0, { what: 'the request at the app' });
    for (let i = 0; i < 1500; i++) {
      const before = received;
      client.send(data(id, 'x'));
      await eventually(() => received > before, { what: 'the byte at the app', everyMs: 0 });
    }
    assert.ok(taken < MOST, `${taken >> 20} MiB were taken from the app`);
    client.destroy();
  });
});
