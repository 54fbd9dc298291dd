// Whose turn it is: by client, then by connection, then by arrival.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Line, type Waiter } from '../../../src/forward/line.ts';

type Named = Waiter & { readonly name: string };

let line: Line<Named>;
const connections = new Map<string, object>();
beforeEach(() => {
  line = new Line();
});

/** `a1x`: of client a, on its connection 1. */
function add(name: string, deadlineMs = 100, first = false): Named {
  const [client = '', connection = ''] = name;
  const key = client + connection;
  let clientConnection = connections.get(key);
  if (clientConnection === undefined) {
    clientConnection = {};
    connections.set(key, clientConnection);
  }
  const waiter = { name, client, clientConnection };
  line.add(waiter, deadlineMs, first);
  return waiter;
}

function serve(full: (client: string) => boolean = () => false): string | undefined {
  const waiter = line.next(full);
  if (waiter !== undefined) line.served(waiter);
  return waiter?.name;
}

function serveAll(full?: (client: string) => boolean): string {
  const names: string[] = [];
  for (let name = serve(full); name !== undefined; name = serve(full)) names.push(name);
  assert.equal(line.length, 0);
  return names.join(' ');
}

describe('the line', () => {
  test('is first come, first served on one connection', () => {
    for (const name of ['a1x', 'a1y', 'a1z']) add(name);
    assert.equal(serveAll(), 'a1x a1y a1z');
  });

  test('is round robin by client, however many wait of one', () => {
    for (const name of ['a1u', 'a1v', 'a1w', 'b1x', 'c1y', 'b1z']) add(name);
    assert.equal(serveAll(), 'a1u b1x c1y a1v b1z a1w');
  });

  test('is round robin by connection among those of one client', () => {
    for (const name of ['a1u', 'a1v', 'a1w', 'a2x', 'a3y']) add(name);
    assert.equal(serveAll(), 'a1u a2x a3y a1v a1w');
  });

  test('gives a client no more turns for having more connections', () => {
    for (const name of ['a1t', 'a2u', 'a3v', 'a4w', 'b1x', 'b1y']) add(name);
    assert.equal(serveAll(), 'a1t b1x a2u b1y a3v a4w');
  });

  test('puts who comes behind those that wait already', () => {
    for (const name of ['a1x', 'a1y', 'b1z']) add(name);
    assert.equal(serve(), 'a1x');
    add('c1x');
    assert.equal(serveAll(), 'b1z a1y c1x');
  });

  test('lets one go before all others, of its client and its connection, too', () => {
    for (const name of ['a1x', 'b1x', 'b2x']) add(name);
    add('b2y', 100, true);
    assert.equal(serveAll(), 'b2y a1x b1x b2x');
  });

  test('passes over clients that are full, while others wait', () => {
    for (const name of ['a1x', 'a1y', 'b1x', 'b1y']) add(name);
    assert.equal(
      serveAll((client) => client === 'a'),
      'b1x b1y a1x a1y',
    );
  });

  test('goes on in its order where all are full', () => {
    for (const name of ['a1x', 'a1y', 'b1x']) add(name);
    assert.equal(
      serveAll(() => true),
      'a1x b1x a1y',
    );
  });

  test('forgets who does not wait any more, and does nothing for a stranger', () => {
    const waiting = ['a1x', 'a1y', 'a2x', 'b1x', 'b1y'].map((name) => add(name));
    for (const at of [1, 3]) line.forget(waiting[at] as Named);
    line.forget(waiting[1] as Named);
    line.served(waiting[3] as Named);
    assert.equal(line.length, 3);
    assert.equal(serveAll(), 'a1x b1y a2x');
  });

  test('forgets the only one of a client, who may come again', () => {
    line.forget(add('a1x'));
    assert.equal(
      line.next(() => false),
      undefined,
    );
    add('a1y');
    assert.equal(serveAll(), 'a1y');
  });

  test('gives up those whose time is over, in the order of their arrival', () => {
    for (const [name, deadlineMs] of [
      ['a1x', 100],
      ['b1x', 100],
      ['a1y', 200],
    ] as const)
      add(name, deadlineMs);
    assert.deepEqual(line.late(99), []);
    assert.deepEqual(
      line.late(100).map(({ name }) => name),
      ['a1x', 'b1x'],
    );
    assert.equal(serveAll(), 'a1y');
  });

  test('takes, serves and forgets 10,000 of one client, and of 10,000, without a walk', () => {
    for (const clientOf of [() => 'a', (i: number) => `client ${i}`]) {
      let asked = 0;
      const full = (): boolean => {
        asked++;
        return false;
      };
      const waiters = Array.from({ length: 10_000 }, (_, i) => ({
        name: `${i}`,
        client: clientOf(i),
        clientConnection: { i },
      }));
      for (const waiter of waiters) line.add(waiter, 100, false);
      for (let i = 0; i < 5000; i++) line.forget(waiters[i * 2] as Named);
      for (let i = 0; i < 5000; i++) {
        const waiter = line.next(full);
        assert.equal(waiter?.name, `${i * 2 + 1}`);
        line.served(waiter as Named);
      }
      assert.deepEqual([line.length, asked], [0, 5000]);
    }
  });
});
