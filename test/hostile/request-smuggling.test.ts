// The corpus through the real program, over both forwarders, with one connection to the app. What is judged is the bytes that
// the app received: several lenient parsers must find the same requests in them, as many as were answered from the app, each
// one written by us; and what comes next, on the same connection and from another client, must be untouched.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import type { RawClient } from '../support/raw-client.ts';
import { answerEach, createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { type Forwarder, forwarders, type Lane, openLane } from '../support/stage.ts';
import { grammarErrors, parseByAll } from './lenient-parsers.ts';
import { VECTORS, type Vector } from './vectors.ts';

const FROM_APP = 'X-From-App: 1';

for (const forwarder of forwarders) suite(forwarder);

test('the corpus holds at least 90 vectors, none twice', () => {
  const ids = VECTORS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length >= 90, `${ids.length} vectors`);
});

function suite(forwarder: Forwarder): void {
  let app: Recorder;
  let lane: Lane;
  before(async () => {
    app = await createRecorder(answerEach(() => response('ok', { headers: [FROM_APP] })));
    lane = await openLane({ forwarder, upstream: app.port, args: ['--upstream-max-connections', '1'] });
  });
  after(async () => {
    await lane.close();
    await app.close();
  });

  for (const vector of VECTORS) {
    test(`${forwarder}: ${vector.id}`, async () => {
      const before = app.connections.map(({ received }) => received.length);
      const answered = await play(lane, vector);
      const requests: string[] = [];
      for (const [at, connection] of app.connections.entries()) {
        requests.push(...(await requestsIn(connection, before[at] ?? 0)));
      }
      judge(vector, requests, answered);
    });
  }

  test(`${forwarder}: the process has logged no defect`, () => assert.deepEqual(lane.defects, []));
}

/** Sends the vector and the canaries; returns how many answers came from the app. */
async function play(lane: Lane, vector: Vector): Promise<number> {
  const client = await lane.connect();
  const second = await lane.connect();
  try {
    const answered = await attack(client, vector);
    return answered + (await canary(second, vector.id));
  } finally {
    client.destroy();
    second.destroy();
  }
}

async function attack(client: RawClient, { id, bytes, want, count = 1 }: Vector): Promise<number> {
  client.send(Buffer.from(bytes, 'latin1'));
  let answered = 0;
  for (let n = typeof want === 'number' ? 1 : count; n > 0; n--) {
    const { status, headText } = await client.readResponse({ deadlineMs: 2000 });
    assert.equal(status, typeof want === 'number' ? want : 200, headText);
    if (headText.includes(FROM_APP)) answered++;
    else assert.match(headText, /\r\nProxy-Status: tls-sidecar; /);
  }
  const stays = typeof want !== 'number' && !/Connection: close/.test(client.received.toString('latin1'));
  if (stays) return answered + (await canary(client, id));
  await client.closed;
  return answered;
}

async function canary(client: RawClient, id: string): Promise<number> {
  client.send(canaryOf(id));
  const { status, body } = await client.readResponse();
  assert.deepEqual([status, body.toString()], [200, 'ok'], 'the next request');
  return 1;
}

function canaryOf(id: string): string {
  return `POST /canary-${id} HTTP/1.1\r\nHost: app.test\r\nX-Canary: yes\r\nContent-Length: 6\r\n\r\ncanary`;
}

/** A request that does not end is one that was broken off: its connection must end with it, so that nothing can follow. */
async function requestsIn(connection: RecorderConnection, from: number): Promise<string[]> {
  const bytes = connection.received.subarray(from);
  const { requests, rest } = parseByAll(bytes);
  if (rest < bytes.length) {
    await eventually(() => connection.ended, { what: 'the end of a connection with half a request' });
    assert.equal(connection.received.length, from + bytes.length, 'bytes after half a request');
  }
  return requests.map(({ start, end }) => bytes.toString('latin1', start, end));
}

function judge({ id, want }: Vector, requests: string[], answered: number): void {
  assert.equal(requests.length, answered, `requests at the app, against answers: ${JSON.stringify(requests)}`);
  for (const request of requests) assert.deepEqual(grammarErrors(request), [], request);
  const canaries = requests.filter((request) => request.startsWith(`POST /canary-${id} HTTP/1.1\r\n`));
  assert.ok(canaries.length >= 1, 'no canary');
  for (const request of canaries) {
    assert.match(
      request,
      /^POST \S+ HTTP\/1\.1\r\nHost: app\.test\r\nX-Canary: yes\r\nContent-Length: 6\r\nX-Forwarded-For: [\s\S]*\r\n\r\ncanary$/,
    );
  }
  const others = requests.slice(0, requests.length - canaries.length);
  if (typeof want === 'number') assert.deepEqual(others, []);
  else assert.match(others.join(''), want);
  for (const request of others) assert.doesNotMatch(request, /^GET \/smuggled/);
}
