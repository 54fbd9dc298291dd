// The cases of gRPC's interop tests: a client and a server of @grpc/grpc-js, with the real program between them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { message, sha256 } from '../support/grpc.ts';
import { ECHO_INITIAL, ECHO_TRAILING, type GrpcApp, openGrpcApp } from '../support/grpc-app.ts';
import { calls, type GrpcCalls, openGrpcClient, outcomeOf } from '../support/grpc-client.ts';
import { eventually } from '../support/poll.ts';
import { type Lane, openLane } from '../support/stage.ts';

let app: GrpcApp;
let lane: Lane;
let client: GrpcCalls;

before(async () => {
  app = await openGrpcApp();
  lane = await openLane({ forwarder: 'wire', upstream: app.port });
  client = calls(openGrpcClient(lane.sidecar.port, lane.ca));
});

after(async () => {
  client.close();
  app.close();
  await lane.close();
  assert.deepEqual(lane.defects, []);
});

describe('gRPC interop', () => {
  test('empty_unary', async () => {
    const { code, answer } = await client.unary('Empty', Buffer.alloc(0));
    assert.equal(code, status.OK);
    assert.equal(answer?.length, 0);
  });

  test('large_unary: 4 MB there, 3 MB back, and the same bytes', async () => {
    const payload = randomBytes(4_000_000);
    const { answer } = await client.unary('Unary', message({ echo: true }, payload));
    assert.equal(sha256(answer ?? Buffer.alloc(0)), sha256(payload));
    const large = await client.unary('Unary', message({ sizes: [3_000_000] }));
    assert.equal(large.answer?.length, 3_000_000);
  });

  test('client_streaming', async () => {
    const payloads = [27182, 8, 1828, 45904].map((size) => randomBytes(size));
    const call = client.input();
    for (const payload of payloads) call.write(message({}, payload));
    call.end();
    assert.equal((await call.answer)?.toString(), sha256(...payloads));
  });

  test('server_streaming', async () => {
    const sizes = [31415, 9, 2653, 58979];
    const { code, messages } = await outcomeOf(client.output(message({ sizes })), true);
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map((bytes) => bytes.length),
      sizes,
    );
  });

  test('ping_pong', async () => {
    const sizes = [31415, 9, 2653, 58979];
    const call = client.duplex();
    const done = outcomeOf(call, true);
    let next = 0;
    const ask = (): void =>
      void (next < sizes.length ? call.write(message({ sizes: [sizes[next++] ?? 0] })) : call.end());
    call.on('data', ask);
    ask();
    const { code, messages } = await done;
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map((bytes) => bytes.length),
      sizes,
    );
  });

  test('empty_stream', async () => {
    const call = client.duplex();
    const done = outcomeOf(call, true);
    call.end();
    const { code, messages } = await done;
    assert.equal(code, status.OK);
    assert.equal(messages.length, 0);
  });

  test('cancel_after_begin: the app hears of it', async () => {
    const before = app.cancelled;
    const started = app.deadlines.length;
    const call = client.input();
    const done = outcomeOf(call, false);
    call.write(message({}));
    await eventually(() => app.deadlines.length > started || undefined, { what: 'the call at the app' });
    call.cancel();
    assert.equal((await done).code, status.CANCELLED);
    await eventually(() => app.cancelled > before || undefined, { what: 'the cancellation at the app' });
  });

  test('cancel_after_first_response: the app hears of it', async () => {
    const before = app.cancelled;
    const call = client.duplex();
    const done = outcomeOf(call, true);
    call.on('data', () => call.cancel());
    call.write(message({ sizes: [31415] }));
    assert.equal((await done).code, status.CANCELLED);
    await eventually(() => app.cancelled > before || undefined, { what: 'the cancellation at the app' });
  });

  test('timeout_on_sleeping_server: the deadline reaches the app', async () => {
    const { code } = await client.unary('Unary', message({ sleep: true }), new Metadata(), {
      deadline: Date.now() + 300,
    });
    assert.equal(code, status.DEADLINE_EXCEEDED);
    const passed = app.deadlines.at(-1) ?? Number.POSITIVE_INFINITY;
    assert.ok(passed > 0 && passed <= 300, `${passed}`);
  });

  test('custom_metadata, on a unary call and on a stream', async () => {
    const metadata = new Metadata();
    metadata.set(ECHO_INITIAL, 'test_initial_metadata_value');
    const binary = Buffer.from([0xab, 0xab, 0xab]);
    metadata.set(ECHO_TRAILING, binary);
    const call = client.duplex(metadata);
    const streamed = outcomeOf(call, true);
    call.write(message({ sizes: [1] }));
    call.end();
    for (const outcome of [await client.unary('Unary', message({ sizes: [1] }), metadata), await streamed]) {
      assert.equal(outcome.code, status.OK);
      assert.deepEqual(outcome.initial?.get(ECHO_INITIAL), ['test_initial_metadata_value']);
      assert.deepEqual(outcome.trailing.get(ECHO_TRAILING), [binary]);
    }
  });

  for (const [name, details] of [
    ['status_code_and_message', 'test status message'],
    ['special_status_message', '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'],
  ] as const) {
    test(`${name}, on a unary call and on a stream`, async () => {
      const order = { status: { code: status.UNKNOWN, details } };
      const call = client.duplex();
      const streamed = outcomeOf(call, true);
      call.write(message(order));
      for (const outcome of [await client.unary('Unary', message(order)), await streamed]) {
        assert.equal(outcome.code, status.UNKNOWN);
        assert.equal(outcome.details, details);
      }
    });
  }

  test('unimplemented_method', async () => {
    assert.equal((await client.unary('Unimplemented', Buffer.alloc(0))).code, status.UNIMPLEMENTED);
  });

  test('an error before the client has ended its stream', async () => {
    const call = client.input('UnimplementedInput');
    const done = outcomeOf(call, false);
    call.write(message({}, randomBytes(1000)));
    assert.equal((await done).code, status.UNIMPLEMENTED);
  });
});

test('trailers after messages reach a client that has not ended its stream', async () => {
  for (let i = 0; i < 20; i++) {
    const call = client.duplex();
    const done = outcomeOf(call, true);
    call.write(message({ sizes: [i * 5000] }));
    call.write(message({ status: { code: status.DATA_LOSS, details: 'too late' } }));
    const { code, details, messages } = await done;
    assert.deepEqual([code, details], [status.DATA_LOSS, 'too late']);
    assert.equal(messages[0]?.length, i * 5000);
  }
});

test('100 bidirectional streams at once, every byte the same', async () => {
  const sums = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const payloads = Array.from({ length: 20 }, (_, at) => randomBytes(at * 3000 + 1));
      const call = client.duplex();
      const done = outcomeOf(call, true);
      for (const payload of payloads) {
        if (!call.write(message({ echo: true }, payload))) await new Promise<void>((go) => call.once('drain', go));
      }
      call.end();
      const { code, messages } = await done;
      return { code, sent: sha256(...payloads), got: sha256(...messages) };
    }),
  );
  for (const { code, sent, got } of sums) {
    assert.equal(code, status.OK);
    assert.equal(got, sent);
  }
});

test('a stream that nobody reads holds up no other', async () => {
  const stalled = client.output(message({ sizes: Array.from({ length: 40 }, () => 1_000_000) }));
  const done = outcomeOf(stalled, false);
  stalled.pause();
  for (let i = 0; i < 20; i++) {
    const { answer } = await client.unary('Unary', message({ sizes: [300_000] }), undefined, {
      deadline: Date.now() + 10_000,
    });
    assert.equal(answer?.length, 300_000);
  }
  let bytes = 0;
  stalled.on('data', (chunk) => {
    bytes += chunk.length;
  });
  stalled.resume();
  assert.equal((await done).code, status.OK);
  assert.equal(bytes, 40_000_000);
});
