// How many connections fit: the smaller of what memory and open files allow, and never so few that it is of no use.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capacityOf, maxConnectionsOf, readSystemLimits } from '../../../src/net/capacity.ts';

const MIB = 1 << 20;

describe('the capacity', () => {
  test('is bound by memory in a small container, and grows with it', () => {
    const sizes = [128, 256, 512, 1024].map((mib) => capacityOf({ memoryBytes: mib * MIB, openFiles: 1 << 20 }));
    assert.ok(sizes.every(({ boundBy }) => boundBy === 'memory'));
    const counts = sizes.map(({ connections }) => connections);
    assert.deepEqual(
      [...counts].sort((a, b) => a - b),
      counts,
    );
    assert.ok(new Set(counts).size === 4);
  });

  test('is bound by open files, two for a connection', () => {
    const capacity = capacityOf({ memoryBytes: 64 * 1024 * MIB, openFiles: 1024 });
    assert.deepEqual(capacity, { connections: 480, boundBy: 'files' });
  });

  test('is never nothing', () => {
    assert.equal(capacityOf({ memoryBytes: 16 * MIB, openFiles: 1 << 20 }).connections, 64);
    assert.equal(capacityOf({ memoryBytes: 1024 * MIB, openFiles: 32 }).connections, 64);
  });

  test('is known where the files are not', () => {
    const { connections, boundBy } = capacityOf({ memoryBytes: 1024 * MIB, openFiles: Number.POSITIVE_INFINITY });
    assert.ok(connections > 1000 && boundBy === 'memory');
  });

  test('of this machine is a whole number, and an option stands for itself', () => {
    const { memoryBytes, openFiles } = readSystemLimits();
    assert.ok(memoryBytes > 64 * MIB && memoryBytes < 2 ** 50 && openFiles >= 64);
    assert.ok(Number.isSafeInteger(maxConnectionsOf('auto')));
    assert.equal(maxConnectionsOf(7), 7);
  });
});
