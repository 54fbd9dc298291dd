// Who owes a byte, and until when, on a clock that the test holds.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ClientDeadline } from '../../../../src/listener/http1/deadline.ts';

const LIMITS = {
  idleTimeoutMs: 75_000,
  headerTimeoutMs: 10_000,
  clientTimeoutMs: 60_000,
  minBodyRate: 240,
  lingerMs: 2000,
};
const START = 5000;

let nowMs = START;
let taken = 0;
let deadline: ClientDeadline;
beforeEach(() => {
  nowMs = START;
  taken = 0;
  deadline = new ClientDeadline(
    LIMITS,
    () => nowMs,
    () => taken,
  );
});

/** Goes on in steps of 250 ms, as the sweep does, until the deadline says what was missed; undefined if `ms` pass without. */
function pass(ms: number, each: () => void = () => {}): { awaited: string; afterMs: number } | undefined {
  const from = nowMs;
  while (nowMs - from < ms) {
    nowMs += 250;
    each();
    if (deadline.deadlineMs > nowMs) continue;
    const awaited = deadline.passed();
    if (awaited !== undefined) return { awaited, afterMs: nowMs - from };
  }
  return undefined;
}

describe('nothing is in flight', () => {
  test('for the idle time-out', () => {
    deadline.awaitRequest();
    assert.deepEqual(pass(100_000), { awaited: 'request', afterMs: LIMITS.idleTimeoutMs });
  });

  test('for the linger time where the program is about to end', () => {
    deadline.awaitRequest(true);
    assert.deepEqual(pass(100_000), { awaited: 'request', afterMs: LIMITS.lingerMs });
  });
});

describe('a head', () => {
  test('is due whole, however often a byte of it comes', () => {
    deadline.awaitRequest();
    nowMs += 1000;
    deadline.awaitHead();
    assert.deepEqual(
      pass(100_000, () => deadline.awaitHead()),
      { awaited: 'head', afterMs: LIMITS.headerTimeoutMs },
    );
  });
});

describe('a body', () => {
  test('may stand still for the time-out, counted from its last byte', () => {
    deadline.awaitBody();
    assert.equal(
      pass(10 * LIMITS.clientTimeoutMs, () => deadline.bodyCame()),
      undefined,
    );
    assert.deepEqual(pass(100_000), { awaited: 'body', afterMs: LIMITS.clientTimeoutMs });
  });

  test('that is asked for again, without a byte of it, gets no more time', () => {
    deadline.awaitBody();
    assert.deepEqual(
      pass(100_000, () => deadline.awaitBody()),
      { awaited: 'body', afterMs: LIMITS.clientTimeoutMs },
    );
  });

  test('that the app did not want for a while is due anew when it does', () => {
    deadline.awaitBody();
    nowMs += 50_000;
    deadline.awaitApp();
    assert.equal(pass(500_000), undefined);
    deadline.awaitBody();
    assert.deepEqual(pass(100_000), { awaited: 'body', afterMs: LIMITS.clientTimeoutMs });
  });
});

describe('a client that takes nothing', () => {
  const least = LIMITS.clientTimeoutMs;
  const most = 1.25 * LIMITS.clientTimeoutMs;

  test('is found between one time-out and one and a quarter after its last byte', () => {
    for (const lastMs of [0, 250, 1000, 14_750, 15_000, 15_250, 59_000]) {
      taken = 0;
      deadline.awaitApp();
      deadline.awaitTaking();
      const from = nowMs;
      const found = pass(1_000_000, () => {
        if (nowMs - from <= lastMs) taken += 1;
      });
      assert.equal(found?.awaited, 'taking');
      const afterMs = (found?.afterMs ?? 0) - lastMs;
      assert.ok(afterMs >= least && afterMs <= most, `${afterMs} ms after the byte at ${lastMs}`);
    }
  });

  test('is not spared by what is written to it, or what it sends', () => {
    deadline.awaitTaking();
    const found = pass(1_000_000, () => {
      deadline.awaitTaking();
      deadline.bodyCame();
    });
    assert.deepEqual(found, { awaited: 'taking', afterMs: least });
  });

  test('is not mistaken for one that takes a byte now and then', () => {
    deadline.awaitTaking();
    let count = 0;
    const each = (): void => {
      count += 1;
      if (count % 200 === 0) taken += 1;
    };
    assert.equal(pass(1_000_000, each), undefined);
  });
});

describe('what has no deadline of the client', () => {
  for (const [what, wait] of [
    ["the app's turn", () => deadline.awaitApp()],
    ['a tunnel', () => deadline.awaitTunnel()],
  ] as const) {
    test(what, () => {
      deadline.awaitBody();
      wait();
      assert.equal(deadline.deadlineMs, Number.POSITIVE_INFINITY);
    });
  }

  test('a deadline that has passed, until something is waited for again', () => {
    deadline.awaitBody();
    assert.equal(pass(100_000)?.awaited, 'body');
    assert.equal(deadline.deadlineMs, Number.POSITIVE_INFINITY);
  });
});

test('a close may take the linger time', () => {
  deadline.awaitClose();
  assert.deepEqual(pass(100_000), { awaited: 'close', afterMs: LIMITS.lingerMs });
});
