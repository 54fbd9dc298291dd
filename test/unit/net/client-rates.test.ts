// How often each client may ask: the edges of burst and rate, and a table that many clients can neither fill nor empty.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientRates, MAX_CLIENTS, type Rate } from '../../../src/net/client-rates.ts';

const SECOND = 1000;

function ratesOf(rate: Rate, startMs = 1000) {
  const time = { nowMs: startMs };
  const rates = new ClientRates(() => time.nowMs);
  rates.use(rate);
  const take = (client: string): number => rates.take(client, time.nowMs);
  /** How many of so many pass. */
  const passed = (client: string, attempts: number): number =>
    Array.from({ length: attempts }, () => take(client)).filter((waitMs) => waitMs === 0).length;
  return { time, rates, take, passed };
}

function perSecond(requests: number, burst = requests): Rate {
  return { requests, periodMs: SECOND, burst };
}

describe('one client', () => {
  for (const [requests, burst] of [
    [1, 1],
    [3, 3],
    [7, 50],
    [100, 1],
    [333, 1000],
    [10_000, 10_000],
  ] as const) {
    // After a day, times are large numbers of which little is left behind the point.
    for (const startMs of [0, 1e8]) {
      test(`may ask ${burst} times at once, not once more, and ${requests} times a second then (from ${startMs} ms on)`, () => {
        const { time, passed } = ratesOf(perSecond(requests, burst), startMs);
        assert.equal(passed('a', burst + 1), burst);
        const steps = Math.min(requests, 200);
        let more = 0;
        for (let i = 1; i <= steps; i++) {
          time.nowMs = startMs + (i * SECOND) / requests;
          more += passed('a', 2);
        }
        assert.equal(more, steps);
      });
    }
  }

  test('is told how long to wait: before that it is refused, then it is not', () => {
    const { time, take, passed } = ratesOf(perSecond(4, 2));
    passed('a', 2);
    time.nowMs += 100;
    assert.equal(take('a'), 150);
    time.nowMs += 149;
    assert.equal(take('a'), 1);
    time.nowMs += 1;
    assert.equal(take('a'), 0);
  });

  test('owes nothing for what was refused', () => {
    const { time, passed } = ratesOf(perSecond(1));
    assert.equal(passed('a', 10_000), 1);
    time.nowMs += SECOND;
    assert.equal(passed('a', 10_000), 1);
  });

  test('gathers no more than a burst, however long it was away', () => {
    const { time, passed } = ratesOf(perSecond(5, 3));
    passed('a', 3);
    time.nowMs += 3600 * SECOND;
    assert.equal(passed('a', 100), 3);
  });

  test('hears how many are left, and when there will be one more', () => {
    const { time, rates, take } = ratesOf(perSecond(10, 5));
    const heard = () => [rates.left, Math.round(rates.nextMs)];
    take('a');
    assert.deepEqual(heard(), [4, 100]);
    time.nowMs += 40;
    take('a');
    assert.deepEqual(heard(), [3, 60]);
    for (let i = 0; i < 3; i++) take('a');
    assert.deepEqual(heard(), [0, 60]);
    assert.equal(Math.round(take('a')), 60);
    assert.deepEqual(heard(), [0, 60]);
  });

  test('is none of the others', () => {
    const { passed } = ratesOf(perSecond(2));
    assert.deepEqual([passed('a', 9), passed('b', 9), passed('a', 9)], [2, 2, 0]);
  });

  test('whose clock goes back a little owes what it owed', () => {
    const { time, passed } = ratesOf(perSecond(2));
    passed('a', 2);
    time.nowMs -= 5;
    assert.equal(passed('a', 1), 0);
  });

  test('is found again by a name outside of latin1', () => {
    const { passed } = ratesOf(perSecond(1));
    for (const name of ['certificate CN=Zoë', 'certificate CN=☺', 'certificate CN=\ud800']) {
      assert.deepEqual([passed(name, 3), passed(name, 3)], [1, 0], name);
    }
  });
});

describe('another rate', () => {
  test('forgives what was owed under the old one', () => {
    const { rates, passed } = ratesOf({ requests: 1, periodMs: 3600 * SECOND, burst: 1 });
    passed('a', 2);
    rates.use(perSecond(2));
    assert.equal(passed('a', 3), 2);
  });

  test('of the same numbers changes nothing', () => {
    const { rates, passed } = ratesOf(perSecond(2));
    passed('a', 2);
    rates.use(perSecond(2));
    assert.equal(passed('a', 1), 0);
  });

  test('of none leaves nobody in the table', () => {
    const { rates, passed } = ratesOf(perSecond(2));
    passed('a', 2);
    rates.use(undefined);
    assert.deepEqual([rates.size, rates.rate, rates.deadlineMs], [0, undefined, Number.POSITIVE_INFINITY]);
  });
});

/** The n-th network of 2001:db8::/32, as clients/client-key.ts writes it. */
function network(n: number): string {
  return `2001:db8:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}::/64`;
}

describe('the table', () => {
  test('holds no more clients than it may, and lets go of those that owe nothing', () => {
    const { time, rates, take } = ratesOf(perSecond(10));
    for (let i = 0; i < 100_000; i++) assert.equal(take(network(i)), 0);
    assert.equal(rates.size, MAX_CLIENTS);
    assert.ok(rates.deadlineMs < Number.POSITIVE_INFINITY);
    time.nowMs = rates.deadlineMs;
    take('a');
    rates.expire();
    assert.ok(rates.size > MAX_CLIENTS / 2, 'not all at once');
    while (rates.deadlineMs <= time.nowMs) rates.expire();
    assert.equal(rates.size, 1);
    time.nowMs = rates.deadlineMs;
    rates.expire();
    assert.deepEqual([rates.size, rates.deadlineMs], [0, Number.POSITIVE_INFINITY]);
  });

  test('is not filled: a new client is served while a hundred thousand others are refused', () => {
    const { passed } = ratesOf(perSecond(3));
    for (let i = 0; i < 100_000; i++) assert.ok(passed(network(i), 4) >= 3);
    assert.equal(passed('192.0.2.1', 10), 3);
  });

  test('is not emptied: whoever owes much is refused on, however many ask once', () => {
    const { passed } = ratesOf(perSecond(10, 100));
    const known = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
    for (const client of known) passed(client, 101);
    for (let i = 0; i < 300_000; i++) passed(network(i), 1);
    const refused = known.filter((client) => passed(client, 1) === 0);
    assert.equal(refused.length, known.length);
  });

  test('remembers who is refused, and not who is not known: a refusal takes no place', () => {
    const { rates, passed } = ratesOf(perSecond(1));
    passed('a', 1000);
    assert.equal(rates.size, 1);
  });

  test('stays true while clients come and go', () => {
    const { time, rates, passed } = ratesOf(perSecond(10, 2));
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 40; i++) passed(`client ${(round * 7 + i) % 61}`, 1 + (i % 2));
      const owing = `client ${(round * 7 + 39) % 61}`;
      time.nowMs += 60;
      if (round % 3 === 0) rates.expire();
      assert.ok(passed(owing, 5) < 2, owing);
    }
    time.nowMs += 3600 * SECOND;
    rates.expire();
    assert.equal(rates.size, 0);
  });

  test('begins anew after a defect', () => {
    const { rates, passed } = ratesOf(perSecond(1));
    passed('a', 1);
    rates.crashed();
    assert.deepEqual([rates.size, passed('a', 2)], [0, 1]);
  });
});
