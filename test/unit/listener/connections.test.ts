// Who is connected: deadlines and ages on a clock that the test holds, draining, and the count at the end.
import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { Connections, IdlePlace, type OpenConnection } from '../../../src/listener/connections.ts';
import { Deadlines, SWEEP_MS } from '../../../src/net/deadlines.ts';

const clock = {
  nowMs: 0,
  /** Lets time pass, and with it the sweeps that are due. */
  pass(ms: number): void {
    this.nowMs += ms;
    mock.timers.tick(ms);
  },
};

class FakeConnection implements OpenConnection {
  readonly protocol: string;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly idlePlace = new IdlePlace(this);
  readonly calls: string[] = [];
  readonly #leave: ((connection: FakeConnection) => void) | undefined;

  /** `leave`: what an idle connection does when it is told to drain, or destroyed. */
  constructor(protocol = 'http/1.1', leave?: (connection: FakeConnection) => void) {
    this.protocol = protocol;
    this.#leave = leave;
  }

  expire(): void {
    this.calls.push('expire');
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  announce(): void {
    this.calls.push('announce');
  }

  drain(): void {
    this.calls.push('drain');
    this.#leave?.(this);
  }

  retire(): void {
    this.calls.push('retire');
  }

  revoke(): void {
    this.calls.push('revoke');
  }

  crashed(error: unknown): void {
    this.calls.push(`crashed ${(error as Error).message}`);
    connections.delete(this);
  }

  destroy(): void {
    this.calls.push('destroy');
    this.#leave?.(this);
  }
}

let connections: Connections;
let deadlines: Deadlines;
beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] });
  clock.nowMs = 1000;
  deadlines = new Deadlines(() => clock.nowMs);
  connections = aged(0);
});

function aged(maxAgeMs: number, random = (): number => 0): Connections {
  return new Connections({ clock: () => clock.nowMs, deadlines, maxAgeMs, random });
}

function add(protocol?: string, leave?: (connection: FakeConnection) => void): FakeConnection {
  const connection = new FakeConnection(protocol, leave);
  connections.add(connection);
  return connection;
}
const leaves = (connection: FakeConnection): void => connections.delete(connection);

/** Whether the promise has been resolved by now. */
async function settled(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol();
  await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe('the connections', () => {
  test('are counted, all and by protocol', () => {
    const [a, b] = [add('http/1.1'), add('h2'), add('h2')];
    assert.deepEqual([connections.size, connections.countOf('h2'), connections.countOf('http/1.1')], [3, 2, 1]);
    connections.delete(b);
    connections.delete(b);
    assert.deepEqual([connections.size, connections.countOf('h2'), connections.countOf('spdy')], [2, 1, 0]);
    connections.delete(a);
    assert.equal(connections.size, 1);
  });

  test('are counted once, however often they are added', () => {
    const connection = add();
    connections.add(connection);
    assert.equal(connections.size, 1);
  });
});

describe('where there is hardly room', () => {
  let told: unknown[];
  const crowd = (maxConnections: number): Connections => {
    told = [];
    return new Connections({ clock: () => clock.nowMs, deadlines, maxAgeMs: 0, maxConnections });
  };
  class Idle extends FakeConnection {
    override retire(): void {
      super.retire();
      told.push(this);
    }
  }
  const open = (count: number, idle = true): FakeConnection[] =>
    Array.from({ length: count }, () => {
      const connection = new Idle();
      connections.add(connection);
      if (idle) connections.idle(connection);
      clock.pass(1);
      return connection;
    });

  test('those that are idle longest are told to go, one for each that comes', () => {
    connections = crowd(32);
    const [first, second, third] = open(30);
    clock.pass(1000);
    assert.deepEqual(told, []);
    connections.busy(second as FakeConnection);
    open(2, false);
    assert.deepEqual(told, [first, third]);
    // They count no more, though they are still there.
    clock.pass(10_000);
    assert.equal(told.length, 2);
  });

  test('who was busy in between is idle from then on', () => {
    connections = crowd(16);
    const [first, second] = open(15);
    clock.pass(1000);
    connections.busy(first as FakeConnection);
    connections.idle(first as FakeConnection);
    open(1, false);
    assert.deepEqual(told, [second]);
  });

  test('nobody is who has come just now, and none that is busy', () => {
    connections = crowd(16);
    const [first] = open(1);
    open(15, false);
    assert.deepEqual(told, []);
    clock.pass(500);
    assert.deepEqual(told, []);
    clock.pass(750);
    assert.deepEqual(told, [first]);
    clock.pass(10_000);
    assert.deepEqual(told, [first]);
  });

  test('one that goes on as another takes one place, and is never missing', async () => {
    connections = crowd(16);
    open(14);
    const [last] = open(1, false);
    clock.pass(1000);
    const next = new FakeConnection();
    connections.replace(last as FakeConnection, () => {
      connections.add(next);
      assert.equal(connections.size, 16);
    });
    assert.equal(connections.size, 15);
    assert.deepEqual(told, []);
    open(1, false);
    assert.equal(told.length, 1);
  });

  test('who has left is told nothing, and makes room', () => {
    connections = crowd(16);
    const [first, second] = open(15);
    clock.pass(1000);
    connections.delete(first as FakeConnection);
    open(1, false);
    assert.equal(told.length, 0);
    open(1, false);
    assert.deepEqual(told, [second]);
    connections.idle(first as FakeConnection);
    open(1, false);
    assert.equal(told.includes(first), false);
  });
});

describe('a deadline', () => {
  test('that has come expires its connection at the next sweep, once, and no other', () => {
    const [due, later, never] = [add(), add(), add()];
    due.deadlineMs = 1000 + SWEEP_MS;
    later.deadlineMs = 1001 + SWEEP_MS;
    clock.pass(SWEEP_MS - 1);
    assert.deepEqual(due.calls, []);
    clock.pass(1);
    assert.deepEqual([due.calls, later.calls, never.calls], [['expire'], [], []]);
    clock.pass(SWEEP_MS);
    assert.deepEqual([due.calls, later.calls, never.calls], [['expire'], ['expire'], []]);
    clock.pass(SWEEP_MS * 10);
    assert.deepEqual([due.calls, later.calls, never.calls], [['expire'], ['expire'], []]);
  });

  test('that is moved on does not come', () => {
    const connection = add();
    connection.deadlineMs = 1000 + SWEEP_MS;
    clock.pass(SWEEP_MS - 1);
    connection.deadlineMs += 10 * SWEEP_MS;
    clock.pass(9 * SWEEP_MS);
    assert.deepEqual(connection.calls, []);
  });

  test('of a connection that has left does not come', () => {
    const connection = add();
    connection.deadlineMs = 1000;
    connections.delete(connection);
    clock.pass(SWEEP_MS);
    assert.deepEqual(connection.calls, []);
  });

  test('comes to all, though the first takes itself and others out', () => {
    const others: FakeConnection[] = [];
    const first = add();
    first.deadlineMs = 0;
    first.expire = () => {
      connections.delete(first);
      for (const other of others.slice(0, 1)) connections.delete(other);
      connections.add(new FakeConnection());
    };
    for (let i = 0; i < 3; i++) {
      const other = add();
      other.deadlineMs = 0;
      others.push(other);
    }
    clock.pass(SWEEP_MS);
    assert.deepEqual(
      others.map(({ calls }) => calls),
      [[], ['expire'], ['expire']],
    );
  });

  test('comes while draining, too', () => {
    const connection = add();
    void connections.drain();
    connection.deadlineMs = 0;
    clock.pass(SWEEP_MS);
    assert.deepEqual(connection.calls, ['drain', 'expire']);
  });
});

describe('a drain', () => {
  test('that is announced tells each connection once, and closes none', () => {
    const connection = new FakeConnection();
    connections.add(connection);
    connections.announce();
    connections.announce();
    assert.deepEqual([connection.calls, connections.announced, connections.draining], [['announce'], true, false]);
  });

  test('without connections ends at once', async () => {
    assert.equal(connections.draining, false);
    await connections.drain();
    assert.equal(connections.draining, true);
  });

  test('tells every connection, and ends with the last one', async () => {
    const idle = add('http/1.1', leaves);
    const [busy, busier] = [add(), add('h2')];
    const drained = connections.drain();
    assert.deepEqual(
      [idle, busy, busier].map(({ calls }) => calls),
      [['drain'], ['drain'], ['drain']],
    );
    assert.equal(connections.size, 2);
    connections.delete(busy);
    assert.equal(await settled(drained), false);
    connections.delete(busier);
    assert.equal(await settled(drained), true);
  });

  test('ends when all were idle', async () => {
    add('http/1.1', leaves);
    add('http/1.1', leaves);
    await connections.drain();
    assert.equal(connections.size, 0);
  });

  test('waits for a connection that came while it was under way', async () => {
    const first = add();
    const drained = connections.drain();
    const second = add();
    connections.delete(first);
    assert.equal(await settled(drained), false);
    connections.delete(second);
    assert.equal(await settled(drained), true);
  });

  test('that is asked for twice ends for both', async () => {
    const connection = add();
    const both = [connections.drain(), connections.drain()];
    connections.delete(connection);
    assert.deepEqual(await Promise.all(both.map(settled)), [true, true]);
  });
});

describe('the end', () => {
  test('cuts what is left and says how many that were', () => {
    const left = [add('http/1.1', leaves), add('h2', leaves), add()];
    assert.equal(connections.destroyAll(), 3);
    for (const { calls } of left) assert.deepEqual(calls, ['destroy']);
    assert.equal(connections.size, 1);
  });

  test('cuts nothing where nothing is left', () => {
    assert.equal(connections.destroyAll(), 0);
  });

  test('of the sweep is the end of deadlines', () => {
    deadlines.close();
    const late = add();
    late.deadlineMs = 0;
    clock.pass(SWEEP_MS * 4);
    assert.deepEqual(late.calls, []);
  });
});

describe('an age', () => {
  const AGE_MS = 10_000;
  const retired = (list: FakeConnection[]): boolean[] => list.map(({ calls }) => calls.includes('retire'));

  test('that is not limited never comes', () => {
    const connection = add();
    clock.pass(24 * 3_600_000);
    assert.deepEqual(connection.calls, []);
  });

  test('tells each connection to go, once, counted from when it was added', () => {
    connections = aged(AGE_MS);
    const first = add();
    clock.pass(AGE_MS / 2);
    const second = add();
    clock.pass(AGE_MS / 2 - SWEEP_MS);
    assert.deepEqual(retired([first, second]), [false, false]);
    clock.pass(SWEEP_MS);
    assert.deepEqual(retired([first, second]), [true, false]);
    clock.pass(AGE_MS / 2);
    assert.deepEqual(retired([first, second]), [true, true]);
    clock.pass(AGE_MS * 3);
    assert.deepEqual([first.calls, second.calls], [['retire'], ['retire']]);
  });

  test('is up to a tenth less, so that connections made together do not go together', () => {
    const chances = [0, 0.5, 0.999];
    connections = aged(AGE_MS, () => chances.pop() ?? 0);
    const list = [add(), add(), add()];
    clock.pass(AGE_MS * 0.9);
    assert.deepEqual(retired(list), [false, false, false]);
    clock.pass(SWEEP_MS);
    assert.deepEqual(retired(list), [true, false, false]);
    clock.pass(AGE_MS * 0.05);
    assert.deepEqual(retired(list), [true, true, false]);
    clock.pass(AGE_MS * 0.05);
    assert.deepEqual(retired(list), [true, true, true]);
  });

  test('of a connection that has left does not come', () => {
    connections = aged(AGE_MS);
    const [gone, stays] = [add(), add()];
    connections.delete(gone);
    clock.pass(AGE_MS);
    assert.deepEqual(retired([gone, stays]), [false, true]);
  });

  test('does not stand in the way of a deadline', () => {
    connections = aged(AGE_MS);
    const connection = add();
    connection.deadlineMs = 1000 + SWEEP_MS;
    clock.pass(SWEEP_MS);
    assert.deepEqual(connection.calls, ['expire']);
  });
});

describe('a throw', () => {
  const breaks = (method: 'expire' | 'drain' | 'retire' | 'revoke' | 'destroy'): FakeConnection => {
    const connection = add();
    connection[method] = () => {
      throw new Error(method);
    };
    return connection;
  };

  test('of a connection that is told something ends that one, and the others are told', () => {
    connections = aged(5000);
    const broken = (['drain', 'revoke', 'retire', 'expire', 'destroy'] as const).map(breaks);
    const other = add();
    void connections.drain();
    connections.revokeAll();
    clock.pass(5000);
    const [expires] = broken.slice(3);
    if (expires !== undefined) expires.deadlineMs = 0;
    clock.pass(SWEEP_MS);
    connections.destroyAll();
    assert.deepEqual(
      broken.map(({ calls }) => calls.at(-1)),
      ['crashed drain', 'crashed revoke', 'crashed retire', 'crashed expire', 'crashed destroy'],
    );
    assert.deepEqual(other.calls, ['drain', 'revoke', 'retire', 'destroy']);
  });
});
