// Draining on a clock that the test holds: what is called, in which order, and how often.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { mock, test } from 'node:test';
import { createDrain } from '../../../src/lifecycle/drain.ts';
import { createLifecycle } from '../../../src/lifecycle/lifecycle.ts';

/** One look at the network, and what follows from it. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => void setImmediate(resolve));
};

function begin(delayMs: number, timeoutMs: number) {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  const calls: string[] = [];
  let nowMs = 0;
  let empty = (): void => {};
  const drain = createDrain({
    lifecycle: createLifecycle((state) => calls.push(state)),
    times: () => ({ delayMs, timeoutMs }),
    clock: () => nowMs,
    announce: () => calls.push('announce'),
    finish() {
      calls.push('finish');
      return new Promise<void>((resolve) => {
        empty = resolve;
      });
    },
    cut: () => calls.push('cut'),
  });
  const ask = (): Promise<void> => drain.begin().then(() => void calls.push('done'));
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    mock.timers.tick(ms);
    await turns();
  };
  return { drain, calls, ask, pass, empty: () => empty() };
}

test('clients are told at once, the port closes after the delay, and it is done with the last connection', async () => {
  const { calls, ask, pass, empty } = begin(5000, 25_000);
  void ask();
  assert.deepEqual(calls, ['draining', 'announce']);
  await pass(4999);
  assert.deepEqual(calls, ['draining', 'announce']);
  await pass(1);
  assert.deepEqual(calls, ['draining', 'announce', 'finish']);
  empty();
  await turns();
  assert.deepEqual(calls, ['draining', 'announce', 'finish', 'cut', 'done']);
});

test('the deadline counts from the start, the delay included', async () => {
  const { calls, ask, pass } = begin(5000, 7000);
  void ask();
  await pass(5000);
  await pass(1999);
  assert.equal(calls.includes('cut'), false);
  await pass(1);
  assert.deepEqual(calls.slice(-2), ['cut', 'done']);
});

test('a delay longer than the time-out ends with it', async () => {
  const { calls, ask, pass } = begin(9000, 7000);
  void ask();
  await pass(7000);
  await pass(0);
  assert.deepEqual(calls.slice(-3), ['finish', 'cut', 'done']);
});

test('whoever asks later joins, and after the end is answered at once', async () => {
  const { calls, ask, pass, empty } = begin(1000, 7000);
  void ask();
  void ask();
  await pass(1000);
  empty();
  await turns();
  assert.deepEqual(calls, ['draining', 'announce', 'finish', 'cut', 'done', 'done']);
  await ask();
  assert.equal(calls.filter((call) => call === 'finish').length, 1);
});

for (const when of ['before', 'during'] as const) {
  test(`the delay is skipped when that is said ${when} it`, async () => {
    const { drain, calls, ask } = begin(60_000, 70_000);
    if (when === 'before') drain.skipDelay();
    void ask();
    if (when === 'during') drain.skipDelay();
    await turns();
    assert.deepEqual(calls, ['draining', 'announce', 'finish']);
  });
}

test('without a delay the port closes at once', async () => {
  const { calls, ask } = begin(0, 7000);
  void ask();
  await turns();
  assert.deepEqual(calls, ['draining', 'announce', 'finish']);
});

test('who came while the process stood still is let in, though the delay is over', async (t) => {
  mock.timers.reset();
  const server = createServer();
  const came = once(server, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drain = createDrain({
    lifecycle: createLifecycle(() => {}),
    times: () => ({ delayMs: 20, timeoutMs: 5000 }),
    clock: () => performance.now(),
    announce() {},
    finish: () => new Promise<void>((resolve) => void server.close(() => resolve())),
    cut() {},
  });
  const drained = drain.begin();
  await new Promise((resolve) => void setImmediate(resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  // After the system has been asked for the connection, and before anybody is told of it.
  process.nextTick(() => {
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
  });
  const [socket] = (await Promise.race([came, drained.then(() => [])])) as [Socket?];
  assert.ok(socket !== undefined, 'it was turned away');
  socket.destroy();
  await drained;
});
