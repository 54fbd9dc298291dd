// What may be held for clients: counted to connection, client and process, and never more than a client's share.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { type Account, Budget, CLIENT_BYTES, CONNECTION_BYTES } from '../../../src/net/budget.ts';

const MIB = 1 << 20;
let budget: Budget;
beforeEach(() => {
  budget = new Budget({ bytes: 40 * MIB, percent: 50 });
});

/** Holds until the account is full, a piece at a time; returns how much that was. */
function fill(account: Account, piece = 4096): number {
  let bytes = 0;
  while (!account.full) {
    account.count(piece);
    bytes += piece;
  }
  return bytes;
}

describe('the budget', () => {
  test('counts bytes to the process, whoever they are held for, until they are let go', () => {
    const a = budget.open('a');
    const b = budget.open('b');
    a.count(1000);
    b.count(200);
    budget.shared.count(30);
    assert.deepEqual([a.held, b.held, budget.held], [1000, 200, 1230]);
    a.count(-1000);
    b.count(-200);
    budget.shared.count(-30);
    assert.equal(budget.held, 0);
  });

  test('gives one connection 12 MiB at the most', () => {
    assert.equal(fill(budget.open('a')), CONNECTION_BYTES);
  });

  test('gives one client alone its share, on however many connections', () => {
    const accounts = Array.from({ length: 40 }, () => budget.open('a'));
    let bytes = 0;
    for (const account of accounts) bytes += fill(account);
    assert.equal(bytes, 20 * MIB);
    const other = budget.open('b');
    assert.ok(!other.full);
    assert.ok(fill(other) >= 6 * MIB);
  });

  test('gives one client no more than 20 MiB, however much memory there is', () => {
    budget = new Budget({ bytes: 4096 * MIB, percent: 50 });
    let bytes = 0;
    for (let i = 0; i < 40; i++) bytes += fill(budget.open('a'));
    assert.equal(bytes, CLIENT_BYTES);
  });

  test('leaves something to each client, however many have filled it', () => {
    for (let client = 0; client < 60; client++) {
      let bytes = 0;
      for (let i = 0; i < 4; i++) bytes += fill(budget.open(`client ${client}`));
      assert.ok(bytes >= MIB, `client ${client} got ${bytes}`);
    }
  });

  test('is exceeded by a third more than was given, and by that client alone', () => {
    const a = budget.open('a');
    const b = budget.open('b');
    fill(a);
    assert.ok(!a.exceeded);
    a.count(CONNECTION_BYTES / 2);
    assert.ok(a.exceeded);
    assert.ok(!b.exceeded);
    const others = Array.from({ length: 8 }, () => budget.open('a'));
    for (const account of others) account.count(2 * MIB);
    assert.ok(others.every(({ exceeded }) => exceeded));
    const small = budget.open('a');
    small.count(60_000);
    assert.ok(!small.exceeded);
    b.count(1);
    assert.ok(!b.exceeded);
  });

  test('with all of it for each client lets one have the whole', () => {
    budget = new Budget({ bytes: 10 * MIB, percent: 100 });
    const accounts = [budget.open('a'), budget.open('a')];
    const bytes = accounts.reduce((sum, account) => sum + fill(account), 0);
    assert.ok(bytes > 9 * MIB && bytes <= 10 * MIB, `${bytes} bytes`);
  });

  test('lends windows up to half of what may be held, and has them back', () => {
    const account = budget.open('a');
    let lent = 0;
    while (account.lend(65_536)) lent += 65_536;
    assert.equal(lent, CONNECTION_BYTES / 2);
    assert.ok(!account.full);
    account.giveBack(lent);
    assert.equal(budget.lent, 0);
    assert.equal(budget.held, 0);
  });

  test('forgets a client with its last connection and its last byte', () => {
    const accounts = [budget.open('a'), budget.open('a')];
    for (const account of accounts) account.count(5);
    assert.equal(budget.clients, 1);
    for (const account of accounts) account.close();
    assert.equal(budget.clients, 1);
    accounts[0]?.count(-5);
    assert.equal(budget.clients, 1);
    accounts[1]?.count(-5);
    assert.equal(budget.clients, 0);
    const idle = budget.open('b');
    idle.close();
    assert.equal(budget.clients, 0);
  });
});
