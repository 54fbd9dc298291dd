// Frames that cost a client little and a server much. Whatever comes: the process lives, the next client is served while it
// lasts, the app hears of no more than it must, memory is bounded, the log has at most one line for the session, and the
// session ends within its limits.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client, type H2Options } from '../support/h2-client.ts';
import {
  Code,
  data,
  Flag,
  frame,
  goaway,
  headerBlock,
  headers,
  indexed,
  literal,
  ping,
  rstStream,
  Setting,
  settings,
  Type,
  uint32,
  windowUpdate,
} from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { type Lane, openLane } from '../support/stage.ts';

const MAX_GROWTH = 64 << 20;
const LIMITS = ['--header-timeout', '5s', '--client-timeout', '5s', '--idle-timeout', '6s', '--access-log', 'errors'];
/** Far beyond these limits, GOAWAY and the linger of 2 s, and before --upstream-timeout. */
const ENDS_WITHIN_MS = 40_000;

type Attack = {
  readonly name: string;
  readonly with?: Partial<H2Options>;
  /** The client may be gone before it has said all. */
  readonly say: (client: H2Client) => unknown;
  /** Of requests that the app may begin to see. */
  readonly atApp: number;
};

const hold = fieldsOf({ ':path': '/hold' });
const post = fieldsOf({ ':method': 'POST', ':path': '/hold' });
const times = (count: number, make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));

const FLOODS: readonly Attack[] = [
  {
    name: 'rapid reset: 1,300 requests, each taken back at once (CVE-2023-44487)',
    say: (client) => client.send(times(1300, () => takenBack(client))),
    atApp: 1100,
  },
  {
    name: 'rapid reset, one packet a request',
    say: async (client) => {
      for (let at = 0; at < 1300 && !client.ended; at++) {
        client.send(takenBack(client));
        await new Promise(setImmediate);
      }
    },
    atApp: 1100,
  },
  {
    name: 'MadeYouReset: a window update of 0',
    say: (client) => madeToReset(client, (id) => windowUpdate(id, 0)),
    atApp: 128,
  },
  {
    name: 'MadeYouReset: a window above 2^31',
    say: (client) => madeToReset(client, (id) => windowUpdate(id, 0x7fffffff)),
    atApp: 128,
  },
  {
    name: 'MadeYouReset: a PRIORITY of four bytes',
    say: (client) => madeToReset(client, (id) => frame(Type.priority, 0, id, '1234')),
    atApp: 128,
  },
  {
    name: 'MadeYouReset: a stream that depends on itself',
    say: (client) =>
      madeToReset(client, (id) => frame(Type.priority, 0, id, Buffer.concat([uint32(id), Buffer.from([1])]))),
    atApp: 128,
  },
  { name: 'MadeYouReset: DATA after the end', say: (client) => madeToReset(client, (id) => data(id, 'x')), atApp: 128 },
  {
    name: 'MadeYouReset: HEADERS after the end',
    say: (client) => madeToReset(client, (id) => headers(id, hold)),
    atApp: 128,
  },
  {
    name: 'CONTINUATION without end, 10,000 frames with fields (CVE-2024-27983)',
    say: (client) =>
      client.send(
        openHead(client),
        times(10_000, (at) => frame(Type.continuation, 0, 1, literal(`x-${at}`, 'y'))),
      ),
    atApp: 0,
  },
  {
    name: 'CONTINUATION without end, 10,000 empty frames',
    say: (client) =>
      client.send(
        openHead(client),
        times(10_000, () => frame(Type.continuation, 0, 1)),
      ),
    atApp: 0,
  },
  {
    name: 'SETTINGS, 20,000 frames',
    say: (client) => client.send(times(20_000, () => settings([[Setting.initialWindowSize, 65_535]]))),
    atApp: 0,
  },
  {
    name: 'a SETTINGS frame of 1,000 values',
    say: (client) =>
      client.send(settings(Array.from({ length: 1000 }, () => [Setting.initialWindowSize, 65_535] as const))),
    atApp: 0,
  },
  { name: 'PING, 20,000 frames', say: (client) => client.send(times(20_000, () => ping())), atApp: 0 },
  {
    name: 'PING, 20,000 frames, and no reading',
    say: (client) =>
      unread(
        client,
        times(20_000, () => ping()),
      ),
    atApp: 0,
  },
  { name: 'empty DATA, 20,000 frames', say: (client) => emptyData(client), atApp: 1 },
  {
    name: 'empty HEADERS, 2,000 frames',
    say: (client) => client.send(times(2000, () => frame(Type.headers, 5, client.nextId()))),
    atApp: 0,
  },
  {
    name: 'WINDOW_UPDATE, 50,000 frames',
    say: (client) => client.send(times(50_000, () => windowUpdate(0, 1))),
    atApp: 0,
  },
  {
    name: 'WINDOW_UPDATE above 2^31 for the connection (CVE-2026-21714)',
    say: (client) => client.send(windowUpdate(0, 0x7fffffff)),
    atApp: 0,
  },
  {
    name: 'PRIORITY, 20,000 frames',
    say: (client) =>
      client.send(times(20_000, () => frame(Type.priority, 0, client.nextId(), Buffer.from([0, 0, 0, 0, 1])))),
    atApp: 0,
  },
  {
    name: 'frames of unknown types, 20,000',
    say: (client) => client.send(times(20_000, () => frame(0x42, 0, 0, 'x'))),
    atApp: 0,
  },
  {
    name: 'a frame above the largest size',
    say: (client) => client.send(frame(Type.data, 0, 1, Buffer.alloc(20_000))),
    atApp: 0,
  },
  { name: 'DATA on stream 0', say: (client) => client.send(data(0, 'x')), atApp: 0 },
  {
    name: 'a PUSH_PROMISE of a client',
    say: (client) => client.send(frame(Type.pushPromise, Flag.endHeaders, 1, '\0\0\0\x02')),
    atApp: 0,
  },
  { name: 'an even stream', say: (client) => client.send(headers(2, hold)), atApp: 0 },
  {
    name: 'a table size above the limit',
    say: (client) =>
      client.send(
        frame(Type.headers, 5, 1, Buffer.concat([Buffer.from([0x3f, 0xff, 0xff, 0xff, 0x7f]), headerBlock(hold)])),
      ),
    atApp: 0,
  },
  {
    name: '1,000 streams at once',
    say: (client) => client.send(times(1000, () => headers(client.nextId(), hold))),
    atApp: 128,
  },
  {
    name: 'refused requests, 1,000, and no reading',
    say: (client) =>
      unread(
        client,
        times(1000, () => headers(client.nextId(), fieldsOf({ ':path': '/#' }))),
      ),
    atApp: 0,
  },
  {
    name: 'heads of 300 fields, 1,000 of them',
    say: (client) =>
      client.send(
        times(1000, () => {
          const block = Buffer.concat([
            headerBlock(hold),
            ...Array.from({ length: 300 }, (_, at) => literal(`x-${at}`, '1')),
          ]);
          return frame(Type.headers, Flag.endHeaders | Flag.endStream, client.nextId(), block);
        }),
      ),
    atApp: 0,
  },
];

const SILENT: readonly Attack[] = [
  { name: 'the preface, and then nothing', say: () => {}, atApp: 0 },
  { name: 'half a HEADERS frame', say: (client) => client.send(headers(1, hold).subarray(0, 20)), atApp: 0 },
  { name: 'a HEADERS frame without END_HEADERS', say: (client) => client.send(openHead(client)), atApp: 0 },
  { name: 'a SETTINGS that is never acknowledged', with: { acknowledge: false }, say: () => {}, atApp: 0 },
  { name: 'a request, and then nothing', say: (client) => client.request(fieldsOf()), atApp: 1 },
  {
    name: 'a request, and then half a HEADERS frame',
    say: (client) => afterRequest(client, headers(3, hold).subarray(0, 20)),
    atApp: 1,
  },
  {
    name: 'GOAWAY, and the socket kept (CVE-2026-48937)',
    say: (client) => afterRequest(client, goaway()),
    atApp: 1,
  },
  {
    name: 'GOAWAY with an error, and the socket kept',
    say: (client) => afterRequest(client, goaway(0, Code.internalError)),
    atApp: 1,
  },
  {
    name: 'an upload that stops',
    say: (client) => client.send(headers(client.nextId(), post, false), data(1, 'x')),
    atApp: 1,
  },
  {
    name: 'a small answer that is never taken',
    with: { settings: [[Setting.initialWindowSize, 0]] },
    say: (client) => client.request(fieldsOf()),
    atApp: 1,
  },
  {
    name: 'a large answer that is never taken',
    with: { settings: [[Setting.initialWindowSize, 0]] },
    say: (client) => client.request(fieldsOf({ ':path': '/large' })),
    atApp: 1,
  },
  {
    name: 'a refusal that is never taken',
    with: { settings: [[Setting.initialWindowSize, 0]] },
    say: (client) => client.request(fieldsOf({ ':path': '/a#b' })),
    atApp: 0,
  },
  {
    name: 'an answer of which a window takes a part',
    with: { settings: [[Setting.initialWindowSize, 1000]], refill: false },
    say: (client) => client.request(fieldsOf({ ':path': '/large' })),
    atApp: 1,
  },
  { name: 'a protocol error while events are sent', say: (client) => errorDuring(client), atApp: 1 },
];

let app: Recorder;
let lane: Lane;
let begun = 0;
/** That attacked. */
let sessions = 0;

before(async () => {
  app = await createRecorder(serve);
  lane = await openLane({ forwarder: 'wire', upstream: app.port, args: LIMITS });
});

after(async () => {
  await lane.close();
  await app.close();
});

describe('floods', () => {
  for (const attack of FLOODS) test(attack.name, () => endure(attack));

  test('no connection to the app is left that one of them asked for', async () => {
    const left = (): number => app.connections.filter((connection) => !connection.closed && isHeld(connection)).length;
    await eventually(() => left() === 0, { what: 'their end', deadlineMs: ENDS_WITHIN_MS });
  });
});

describe('silence', () => {
  // Side by side: each of them takes seconds of waiting and nothing else.
  test('each session is ended', { concurrency: true }, async (t) => {
    const rssBefore = lane.sidecar.rssBytes();
    await Promise.all(SILENT.map((attack) => t.test(attack.name, () => outlast(attack))));
    assert.ok(lane.sidecar.rssBytes() - rssBefore < MAX_GROWTH);
  });
});

test('HTTP/2 bomb: 50 sessions of 100 streams of 120 fields of one byte each, never to be answered (CVE-2026-56846)', async () => {
  const rssBefore = lane.sidecar.rssBytes();
  const clients = await Promise.all(
    Array.from({ length: 50 }, () =>
      connectH2({ port: lane.sidecar.port, settings: [[Setting.initialWindowSize, 0]], refill: false }),
    ),
  );
  const first = Buffer.concat([headerBlock(fieldsOf()), literal('x-bomb', 'b'.repeat(50), 'indexed')]);
  const later = Buffer.concat([headerBlock(fieldsOf()), ...Array.from({ length: 120 }, () => indexed(62))]);
  for (const client of clients) {
    client.send(
      times(100, (at) =>
        frame(Type.headers, Flag.endHeaders | Flag.endStream, client.nextId(), at === 0 ? first : later),
      ),
    );
  }
  await isServed();
  let most = 0;
  await eventually(
    () => {
      most = Math.max(most, lane.sidecar.rssBytes());
      return clients.every(({ ended }) => ended);
    },
    { what: 'the end of all 50 sessions', deadlineMs: ENDS_WITHIN_MS, everyMs: 50 },
  );
  assert.ok(most - rssBefore < 6 * MAX_GROWTH, `${(most - rssBefore) >> 20} MiB for 5,000 stalled streams`);
  await isServed();
});

test('1,000 connections that end within a frame leave nothing', async () => {
  const rssBefore = lane.sidecar.rssBytes();
  const spoken = [
    openHead,
    (client: H2Client) => windowUpdate(0, client.peerWindow && 0x7fffffff),
    () => frame(Type.headers, 5, 1, '\x80'),
  ];
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        sessions++;
        const client = await connectH2({ port: lane.sidecar.port });
        client.send((spoken[at % spoken.length] as (client: H2Client) => Buffer)(client));
        if (at % 2 === 0) client.raw.reset();
        else client.destroy();
        await client.raw.closed;
      }),
    );
  }
  assert.ok(lane.sidecar.rssBytes() - rssBefore < MAX_GROWTH);
  await isServed();
});

test('bytes that are no preface end the connection', async () => {
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
    '\0\0\0\x04\0\0\0\0\0',
  ]) {
    const client = await connect({ port: lane.sidecar.port, alpn: ['h2'] });
    client.send(bytes);
    await eventually(() => client.ended, { what: `the end after ${JSON.stringify(bytes)}` });
    client.destroy();
  }
  await isServed();
});

test('a handshake for h2 without a byte after it is ended at --header-timeout', async () => {
  const client = await connect({ port: lane.sidecar.port, alpn: ['h2'] });
  await eventually(() => client.ended, { what: 'the end', deadlineMs: ENDS_WITHIN_MS });
});

test('what was ended is in the log, once a session, and in the metrics; nothing of it is a defect', () => {
  const ended = lane.sidecar.logs.filter(({ msg }) => msg === 'HTTP/2 session ended');
  assert.ok(ended.length >= 5 && ended.length <= sessions, `${ended.length} lines for ${sessions} sessions`);
  for (const { reason, client } of ended) {
    assert.match(`${reason}`, /^(?:flood|protocol_error|header_timeout)$/);
    assert.equal(client, '127.0.0.1');
  }
  assert.deepEqual(lane.defects, []);
});

// ---- how an attack is judged

async function endure({ with: options = {}, say, atApp }: Attack): Promise<void> {
  const rssBefore = lane.sidecar.rssBytes();
  const begunBefore = begun;
  sessions++;
  const client = await connectH2({ port: lane.sidecar.port, ...options });
  const said = say(client);
  await isServed();
  await said;
  await isServed();
  const own = begun - begunBefore - 2;
  assert.ok(own <= atApp, `${own} requests at the app`);
  assert.ok(lane.sidecar.rssBytes() - rssBefore < MAX_GROWTH, `${(lane.sidecar.rssBytes() - rssBefore) >> 20} MiB`);
  client.destroy();
}

/** Nobody but the server ends it. */
async function outlast({ with: options = {}, say }: Attack): Promise<void> {
  sessions++;
  const client = await connectH2({ port: lane.sidecar.port, ...options });
  await say(client);
  await eventually(() => client.ended, { what: 'the end of the session', deadlineMs: ENDS_WITHIN_MS });
  client.destroy();
}

async function isServed(): Promise<void> {
  const client = await connectH2({ port: lane.sidecar.port });
  const id = client.request(fieldsOf({ ':path': '/served' }));
  await client.over(id);
  assert.equal(client.status(id), 200);
  client.destroy();
}

function unread(client: H2Client, frames: Buffer): void {
  client.raw.socket.pause();
  client.send(frames);
}

function afterRequest(client: H2Client, frames: Buffer): void {
  client.request(fieldsOf());
  client.send(frames);
}

function takenBack(client: H2Client): Buffer {
  const id = client.nextId();
  return Buffer.concat([headers(id, hold), rstStream(id)]);
}

function madeToReset(client: H2Client, bad: (id: number) => Buffer): void {
  client.send(
    times(1300, () => {
      const id = client.nextId();
      return Buffer.concat([headers(id, hold), bad(id)]);
    }),
  );
}

function openHead(client: H2Client): Buffer {
  return frame(Type.headers, Flag.endStream, client.nextId(), headerBlock(hold));
}

function emptyData(client: H2Client): void {
  const id = client.nextId();
  client.send(
    headers(id, post, false),
    times(20_000, () => data(id, '')),
  );
}

async function errorDuring(client: H2Client): Promise<void> {
  const id = client.request(fieldsOf({ ':path': '/events' }));
  await client.until(() => client.body(id).includes('data: 1'), 'the first event');
  client.send(frame(Type.priority, 0, id, '1234'));
}

// ---- the app: /hold is never answered, /events never ends, /large is as long as it says

async function serve(connection: RecorderConnection): Promise<void> {
  let at = 0;
  for (;;) {
    const end = connection.received.indexOf('\r\n\r\n', at);
    if (end >= 0) {
      const head = connection.received.toString('latin1', at, end);
      at = end + 4;
      begun++;
      answer(connection, head);
      continue;
    }
    if (connection.ended) return;
    const had = connection.received.length;
    await connection.waitFor((got) => got.length > had || connection.ended, Number.POSITIVE_INFINITY);
  }
}

function answer(connection: RecorderConnection, head: string): void {
  if (head.includes(' /hold ')) return;
  if (head.includes(' /large ')) connection.write(response(Buffer.alloc(8 << 20)));
  else if (head.includes(' /events ')) tellEvents(connection);
  else connection.write(response('ok'));
}

function tellEvents(connection: RecorderConnection): void {
  connection.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  let count = 0;
  const timer = setInterval(() => {
    if (connection.closed) clearInterval(timer);
    else connection.write(`9\r\ndata: ${++count % 10}\n\n\r\n`);
  }, 50);
}

function isHeld(connection: RecorderConnection): boolean {
  return connection.received.includes(' /hold ');
}
