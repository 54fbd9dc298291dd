// What a gRPC client sees, and what the app's wire shows, when a side fails or leaves: through the real program, between
// a client and a server of @grpc/grpc-js.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { END_STREAM, type Frame, type FrameTap, openFrameTap } from '../support/frame-tap.ts';
import { message } from '../support/grpc.ts';
import { type GrpcApp, openGrpcApp } from '../support/grpc-app.ts';
import { calls, type GrpcCalls, openGrpcClient, outcomeOf } from '../support/grpc-client.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { data, headers, rstStream } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { type Lane, openLane } from '../support/stage.ts';

const CANCEL = 8;

let app: GrpcApp;
let tap: FrameTap;
let lane: Lane;
let client: GrpcCalls;

beforeEach(async () => {
  app = await openGrpcApp();
  tap = await openFrameTap(app.port);
  await openCalls();
});

async function openCalls(...args: string[]): Promise<void> {
  lane = await openLane({ forwarder: 'wire', upstream: tap.port, args });
  client = calls(openGrpcClient(lane.sidecar.port, lane.ca));
}

/** With another sidecar: an app on a busy machine must not meet it with what it does answer. */
async function withShortTimeout(): Promise<void> {
  client.close();
  await lane.close();
  await openCalls('--upstream-timeout', '2s');
}

afterEach(async () => {
  client.close();
  tap.close();
  app.close();
  await lane.close();
  assert.deepEqual(lane.defects, []);
});

/** The frames that the sidecar sent on the streams of exchanges. */
function sent(): Frame[] {
  return tap.frames.filter(({ from, stream, type }) => from === 'sidecar' && stream > 0 && type !== 'WINDOW_UPDATE');
}

/** Of the stream to the app, as the tap between the two saw it, perhaps after the app did. */
async function resetCode(): Promise<number> {
  const reset = await eventually(() => sent().find(({ type }) => type === 'RST_STREAM'), { what: 'RST_STREAM' });
  return reset.payload.readUInt32BE(0);
}

function logged(path: string): Promise<Readonly<Record<string, unknown>>> {
  return lane.sidecar.waitForLog((line) => line.msg === 'request' && line.path === path);
}

test('the app is down: UNAVAILABLE in one HEADERS frame, with our word; the log has the 502', async () => {
  tap.close();
  const { code, details, trailing } = await client.unary('Empty', Buffer.alloc(0));
  assert.equal(code, status.UNAVAILABLE);
  assert.match(details, /^upstream_refused: The app does not accept connections\./);
  assert.match(String(trailing.get('proxy-status')[0]), /error=connection_refused; details="upstream_refused"/);
  const line = await logged('/test.Interop/Empty');
  assert.equal(line.status, 502);
  assert.equal(line.reason, 'upstream_refused');
});

test('the app is down while the client still streams: UNAVAILABLE all the same', async () => {
  tap.close();
  const call = client.input();
  const done = outcomeOf(call, false);
  call.write(message({}, Buffer.alloc(100_000)));
  assert.equal((await done).code, status.UNAVAILABLE);
});

test('the app dies in the middle of a stream: an error, and never OK; the next call finds a new app', async () => {
  const call = client.duplex();
  const done = outcomeOf(call, true);
  call.on('data', () => tap.cut());
  call.write(message({ sizes: [1000] }));
  const { code, messages } = await done;
  assert.equal(messages.length, 1);
  assert.notEqual(code, status.OK);
  assert.equal((await logged('/test.Interop/Duplex')).reason, 'upstream_closed');
  assert.equal((await client.unary('Empty', Buffer.alloc(0))).code, status.OK);
  assert.equal(tap.connections, 2);
});

test('the app dies before its first answer: UNAVAILABLE', async () => {
  const call = client.unary('Unary', message({ sleep: true }));
  await eventually(() => app.deadlines.length > 0 || undefined, { what: 'the call at the app' });
  tap.cut();
  assert.equal((await call).code, status.UNAVAILABLE);
  assert.equal((await logged('/test.Interop/Unary')).status, 502);
});

test('the app does not answer: UNAVAILABLE after the time-out, and CANCEL alone for the app', async () => {
  await withShortTimeout();
  const { code, details } = await client.unary('Unary', message({ sleep: true }));
  assert.equal(code, status.UNAVAILABLE);
  assert.match(details, /^upstream_timeout: /);
  const reset = await eventually(() => sent().find(({ type }) => type === 'RST_STREAM'), { what: 'a reset' });
  assert.equal(reset.payload.readUInt32BE(0), CANCEL);
});

test('a stream of gRPC may be silent for longer than every time-out once it has begun', async () => {
  await withShortTimeout();
  const call = client.output(message({ sizes: [10], sleep: true }), { deadline: Date.now() + 6000 });
  const { code, messages } = await outcomeOf(call, true);
  assert.equal(messages.length, 1);
  assert.equal(code, status.DEADLINE_EXCEEDED);
});

test('a client that cancels a call: the app hears CANCEL', async () => {
  const call = client.duplex();
  const done = outcomeOf(call, true);
  call.on('data', () => call.cancel());
  call.write(message({ sizes: [10] }));
  await done;
  await eventually(() => app.cancelled > 0 || undefined, { what: 'the cancellation at the app' });
  assert.equal(await resetCode(), CANCEL);
  assert.equal((await logged('/test.Interop/Duplex')).reason, 'client_gone');
});

// On raw frames, because grpc-js itself marks the end of a request before it resets it.
test('a client that resets a call: the app gets RST_STREAM with CANCEL and no end of the request', async () => {
  const raw = await connectH2({ port: lane.sidecar.port });
  const id = raw.nextId();
  const changes = { ':method': 'POST', ':path': '/test.Interop/Duplex', 'content-type': 'application/grpc' };
  raw.send(headers(id, fieldsOf({ ...changes, te: 'trailers' }), false));
  const body = message({ sizes: [10] });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  raw.send(data(id, Buffer.concat([prefix, body])));
  await raw.until(() => raw.stream(id).bytes > 0, 'the first message');
  raw.send(rstStream(id, CANCEL));
  await eventually(() => app.cancelled > 0 || undefined, { what: 'the cancellation at the app' });
  assert.equal(await resetCode(), CANCEL);
  const ends = sent().filter(({ type, flags }) => (type === 'DATA' || type === 'HEADERS') && flags & END_STREAM);
  assert.deepEqual(ends, []);
  assert.equal((await logged('/test.Interop/Duplex')).reason, 'client_gone');
  raw.destroy();
});

test("trailers-only answers of the app stay one frame: the client's metadata is in its status", async () => {
  const { code, initial } = await client.unary('Unary', message({ status: { code: status.NOT_FOUND, details: 'no' } }));
  assert.equal(code, status.NOT_FOUND);
  assert.equal(initial?.getMap()['content-type'], undefined);
  const heads = tap.frames.filter(({ from, type }) => from === 'app' && type === 'HEADERS');
  assert.equal(heads.length, 1);
});

test('an app that says GOAWAY: what is in flight finishes, new calls go to a new session', async () => {
  const call = client.duplex();
  const done = outcomeOf(call, true);
  call.write(message({ sizes: [10] }));
  await new Promise<unknown>((resolve) => call.once('data', resolve));
  app.drain();
  await eventually(() => tap.frames.some(({ type, from }) => type === 'GOAWAY' && from === 'app') || undefined, {
    what: 'GOAWAY',
  });
  assert.equal((await client.unary('Empty', Buffer.alloc(0))).code, status.OK);
  call.write(message({ sizes: [20] }));
  call.end();
  const { code, messages } = await done;
  assert.equal(code, status.OK);
  assert.deepEqual(
    messages.map(({ length }) => length),
    [10, 20],
  );
  assert.equal(tap.connections, 2);
});

describe('an app that allows few streams', () => {
  let few: GrpcApp;
  let fewTap: FrameTap;
  let fewLane: Lane;
  let fewClient: GrpcCalls;

  before(async () => {
    few = await openGrpcApp({ 'grpc.max_concurrent_streams': 2 });
    fewTap = await openFrameTap(few.port);
    const args = ['--upstream-max-connections', '3', '--upstream-connect-timeout', '3s'];
    fewLane = await openLane({ forwarder: 'wire', upstream: fewTap.port, args });
    fewClient = calls(openGrpcClient(fewLane.sidecar.port, fewLane.ca));
  });

  after(async () => {
    fewClient.close();
    fewTap.close();
    few.close();
    await fewLane.close();
    assert.deepEqual(fewLane.defects, []);
  });

  test('more sessions are opened up to the cap; then calls wait, and are told upstream_busy', async () => {
    const deadline = Date.now() + 60_000;
    const held = Array.from({ length: 6 }, () => {
      const call = fewClient.duplex(new Metadata(), { deadline });
      call.write(message({ sizes: [1] }));
      return { call, done: outcomeOf(call, true) };
    });
    await eventually(() => few.deadlines.length >= 6 || undefined, { what: 'six calls at the app' });
    assert.equal(fewTap.connections, 3);
    const { code, details } = await fewClient.unary('Empty', Buffer.alloc(0));
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /^upstream_busy: /);
    const waiting = fewClient.unary('Empty', Buffer.alloc(0));
    held[0]?.call.end();
    assert.equal((await waiting).code, status.OK);
    for (const { call } of held) call.end();
    for (const { done } of held) assert.equal((await done).code, status.OK);
    assert.equal(fewTap.connections, 3);
    assert.equal(
      fewTap.frames.filter(({ type }) => type === 'RST_STREAM').length,
      0,
      'the app never had to refuse a stream',
    );
  });
});
