// Thousands of requests with a few bytes changed, over both forwarders: always the same ones, from a seed. Whatever the sidecar
// makes of each, the app must receive whole requests that every careless parser reads alike and that we wrote, and the process
// must go on without a defect in its log. MUTATIONS_SEED and MUTATIONS_MS choose others, or more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { answerEach, createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';
import { grammarErrors, parseByAll } from './lenient-parsers.ts';
import { VECTORS } from './vectors.ts';

const SEED = Number(process.env.MUTATIONS_SEED ?? 20261121);
const BUDGET_MS = Number(process.env.MUTATIONS_MS ?? 12_000);
const CASES = 2500;
/** However long these take. */
const LEAST_CASES = 500;
const WORKERS = 6;
/** How long a case that may be incomplete is waited for, before the client leaves. */
const PATIENCE_MS = 40;

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n';
const SEEDS: readonly string[] = [
  ...VECTORS.filter(({ bytes }) => bytes.length < 700)
    .filter((_, at) => at % 9 === 0)
    .map(({ bytes }) => bytes),
  'GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\n\r\n',
  `POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  `DELETE /d HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`,
  `GET /1 HTTP/1.1\r\nHost: app.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: app.test\r\n\r\n`,
  'PUT http://app.test/x?y=z HTTP/1.1\r\nHost: app.test\r\nConnection: close, x-a\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi',
  'POST / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
];
/** The bytes that mean something to a parser, and pieces that do. */
const MEANINGFUL = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ':',
  '\t',
  ' ',
  ',',
  ';',
  '0',
  '_',
  '-',
  '\x0b',
  '\x7f',
  '\xff',
  'chunked',
  '#',
];
const FIELDS = [
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Host: b\r\n',
  'Connection: host\r\n',
  ' folded\r\n',
  'Expect: 100-continue\r\n',
];

for (const forwarder of forwarders) {
  test(`${CASES} mutations of ${SEEDS.length} requests through ${forwarder}, seed ${SEED}`, async (t) => {
    const app = await createRecorder(answerEach(() => response('ok')));
    const lane = await openLane({ forwarder, upstream: app.port, args: ['--access-log', 'errors'] });
    try {
      const played = await playAll(lane);
      t.diagnostic(`${played} cases played`);
      assert.ok(played >= LEAST_CASES);
      await canary(lane);
      await judge(app);
      assert.deepEqual(lane.defects, []);
    } finally {
      await lane.close();
      await app.close();
    }
  });
}

async function playAll(lane: Lane): Promise<number> {
  const deadline = performance.now() + BUDGET_MS;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < LEAST_CASES || (next < CASES && performance.now() < deadline)) await play(lane, mutant(next++));
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return next;
}

/** Sends a mutant and leaves when the sidecar has closed, or when nothing more is to be expected of it. */
async function play(lane: Lane, bytes: Buffer): Promise<void> {
  const client = await lane.connect();
  client.send(bytes);
  const options = { what: 'the end', deadlineMs: PATIENCE_MS, everyMs: 4 };
  await eventually(() => client.ended || client.received.length > 0, options).catch(() => {});
  client.destroy();
}

async function canary(lane: Lane): Promise<void> {
  const client = await lane.connect();
  client.send('GET /canary HTTP/1.1\r\nHost: app.test\r\n\r\n');
  const { status, body } = await client.readResponse();
  assert.deepEqual([status, body.toString()], [200, 'ok'], 'a request after all of them');
  client.destroy();
}

async function judge(app: Recorder): Promise<void> {
  for (const connection of app.connections) {
    const requests = read(connection);
    for (const request of requests) assert.deepEqual(grammarErrors(request), [], JSON.stringify(request));
  }
  const unfinished = app.connections.filter(hasRest);
  // A request that its client left half-way must have taken its connection with it.
  await eventually(() => unfinished.every(({ closed }) => closed), {
    what: 'the end of connections with half a request',
  });
}

function read({ received }: RecorderConnection): string[] {
  return parseByAll(received).requests.map(({ start, end }) => received.toString('latin1', start, end));
}

function hasRest({ received }: RecorderConnection): boolean {
  return parseByAll(received).rest < received.length;
}

// ---- mutants

function mutant(index: number): Buffer {
  const random = randomFrom(SEED + index);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let text = pick(SEEDS);
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) text = mutate(text, random, pick);
  return Buffer.from(text, 'latin1');
}

type Pick = <T>(from: readonly T[]) => T;

function mutate(text: string, random: () => number, pick: Pick): string {
  const at = Math.floor(random() * text.length);
  const cut = (length: number, put: string): string => text.slice(0, at) + put + text.slice(at + length);
  const lines = text.split('\r\n');
  const line = Math.floor(random() * lines.length);
  switch (Math.floor(random() * 10)) {
    case 0:
      return cut(1, '');
    case 1:
      return cut(1, String.fromCharCode(Math.floor(random() * 256)));
    case 2:
      return cut(0, pick(MEANINGFUL));
    case 3:
      return cut(1, pick(MEANINGFUL));
    case 4:
      return text.replace('\r\n', `\r\n${pick(FIELDS)}`);
    case 5:
      return lines.toSpliced(line, 0, lines[line] ?? '').join('\r\n');
    case 6:
      return lines.toSpliced(line, 1).join('\r\n');
    case 7:
      return text.replace(/\d+/, (digits) => String(Number(digits) + Math.floor(random() * 5) - 2));
    case 8:
      return cut(Math.floor(random() * 8), '');
    default:
      return text.slice(0, at) + pick(SEEDS).slice(Math.floor(random() * 40));
  }
}

/** mulberry32: small, and the same on every machine. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
