// How many connections fit: what memory and open files allow, shared between clients and the app.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Capacity, capacityOf, type Demand, readSystemLimits } from '../../../src/net/capacity.ts';

const MIB = 1 << 20;
const PLENTY = 1 << 20;
const DEFAULT: Demand = {
  maxConnections: 'auto',
  upstreamMaxConnections: 256,
  upstreamPools: 1,
  upstreamSessions: 16,
  sessionPools: 1,
};

function capacity(openFiles: number, demand: Partial<Demand> = {}, mib = 64 * 1024): Capacity {
  return capacityOf({ memoryBytes: mib * MIB, openFiles }, { ...DEFAULT, ...demand });
}

/** Clients and the connections to the app, as [clients, app]. */
function shares(openFiles: number, demand: Partial<Demand> = {}): [number, number] {
  const { connections, upstreamConnections } = capacity(openFiles, demand);
  return [connections, upstreamConnections];
}

describe('the capacity', () => {
  test('is bound by memory in a small container, and grows with it', () => {
    const sizes = [128, 256, 512, 1024].map((mib) => capacity(PLENTY, {}, mib));
    assert.ok(sizes.every(({ boundBy }) => boundBy === 'memory'));
    const counts = sizes.map(({ connections }) => connections);
    assert.deepEqual(
      [...counts].sort((a, b) => a - b),
      counts,
    );
    assert.ok(new Set(counts).size === 4);
  });

  test('is bound by open files: those of the clients, of the app, and the reserve', () => {
    const { connections, upstreamConnections, boundBy } = capacity(1024);
    assert.deepEqual([connections, upstreamConnections, boundBy], [1024 - 64 - 256 - 16, 256, 'files']);
  });

  test('is never nothing', () => {
    assert.equal(capacity(PLENTY, {}, 16).connections, 64);
    assert.equal(capacity(32, {}, 1024).connections, 64);
    assert.equal(capacity(32, {}, 1024).upstreamConnections, 1);
  });

  test('is known where the files are not', () => {
    const { connections, upstreamConnections, boundBy } = capacity(Number.POSITIVE_INFINITY, {}, 1024);
    assert.ok(connections > 1000 && upstreamConnections === 256 && boundBy === 'memory');
  });

  test('of this machine is a whole number', () => {
    const { memoryBytes, openFiles } = readSystemLimits();
    assert.ok(memoryBytes > 64 * MIB && memoryBytes < 2 ** 50 && openFiles >= 64);
    assert.ok(Number.isSafeInteger(capacityOf(readSystemLimits(), DEFAULT).connections));
  });
});

describe('files that are too few for both', () => {
  test('are halved between clients and the app', () => {
    assert.deepEqual(shares(64 + 400), [200, 200 - 16]);
    assert.deepEqual(shares(64 + 401), [201, 200 - 16]);
  });

  test('are not halved where the app asks for less than its half', () => {
    assert.deepEqual(shares(64 + 2 * 272), [272, 256]);
    assert.deepEqual(shares(64 + 2 * 272 - 1), [272, 255]);
    assert.deepEqual(shares(64 + 400, { upstreamMaxConnections: 10 }), [400 - 20, 10]);
  });

  test('count each pool and each session of HTTP/2, which are no more than connections', () => {
    assert.deepEqual(shares(64 + 1000, { upstreamPools: 3 }), [1000 - 3 * 161 - 16, 161]);
    assert.deepEqual(shares(64 + 400, { upstreamSessions: 0 }), [200, 200]);
    assert.deepEqual(shares(64 + 400, { upstreamPools: 0 }), [400 - 16, 256]);
    assert.deepEqual(shares(64 + 400, { upstreamPools: 0, upstreamMaxConnections: 4 }), [396, 4]);
  });

  test('that hold fewer than all sessions are divided by two for each connection', () => {
    assert.deepEqual(shares(64 + 128, { upstreamSessions: 100 }), [64, 32]);
  });

  test('hold both sides at once, whatever is asked for', () => {
    for (let openFiles = 64 + 128; openFiles < 4000; openFiles += 7)
      for (const maxConnections of ['auto', 1, 100, 688, 100_000] as const)
        for (const [upstreamPools, sessionPools] of [
          [0, 1],
          [1, 1],
          [3, 1],
          [2, 2],
          [3, 4],
          [0, 2],
          [2, 0],
        ] as const)
          for (const upstreamMaxConnections of [1, 15, 256, 5000]) {
            const demand = { maxConnections, upstreamPools, sessionPools, upstreamMaxConnections };
            const [clients, app] = shares(openFiles, demand);
            const files = clients + app * upstreamPools + Math.min(app, 16) * sessionPools;
            assert.ok(files <= openFiles - 64, `${openFiles} files, ${JSON.stringify(demand)}: ${clients} and ${app}`);
            assert.ok(clients >= 1 && app >= 1);
          }
  });
});

describe('a number of clients that is given', () => {
  test('stands for itself where it fits, more than memory would allow, too', () => {
    assert.deepEqual(shares(1024, { maxConnections: 7 }), [7, 256]);
    assert.equal(capacity(PLENTY, { maxConnections: 5000 }, 128).connections, 5000);
    assert.ok(capacity(PLENTY, { maxConnections: 5000 }, 128).automatic < 5000);
  });

  test('leaves the app what it does not need', () => {
    assert.deepEqual(shares(1024, { maxConnections: 100, upstreamMaxConnections: 2000 }), [100, 860 - 16]);
  });

  test('is lowered to what the files hold: a client that is not accepted would wait for ever', () => {
    assert.deepEqual(shares(1024, { maxConnections: 900 }), [688, 256]);
  });
});
