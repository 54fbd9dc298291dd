// A queue of members that know their neighbours.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Queue, type Queued } from '../../../src/net/queue.ts';

class Member implements Queued<Member> {
  before: Member | undefined = undefined;
  after: Member | undefined = undefined;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

function members(queue: Queue<Member>): string {
  let names = '';
  let previous: Member | undefined;
  for (let member = queue.first; member !== undefined; member = member.after) {
    assert.equal(member.before, previous);
    names += member.name;
    previous = member;
  }
  return names;
}

describe('a queue', () => {
  const [a, b, c] = [new Member('a'), new Member('b'), new Member('c')];
  const full = (): Queue<Member> => {
    const queue = new Queue<Member>();
    for (const member of [a, b, c]) Object.assign(member, { before: undefined, after: undefined });
    for (const member of [b, c]) queue.push(member);
    queue.unshift(a);
    return queue;
  };

  test('keeps its order, and lets one go before all others', () => assert.equal(members(full()), 'abc'));

  for (const [what, gone, left] of [
    ['first', a, 'bc'],
    ['middle', b, 'ac'],
    ['last', c, 'ab'],
  ] as const) {
    test(`loses its ${what} member, and takes it again at the end and at the front`, () => {
      const queue = full();
      queue.delete(gone);
      assert.deepEqual([members(queue), gone.before, gone.after], [left, undefined, undefined]);
      queue.push(gone);
      assert.equal(members(queue), `${left}${gone.name}`);
      queue.delete(gone);
      queue.unshift(gone);
      assert.equal(members(queue), `${gone.name}${left}`);
    });
  }

  test('can be emptied, and filled again', () => {
    const queue = full();
    for (const member of [b, a, c]) queue.delete(member);
    assert.equal(queue.first, undefined);
    queue.unshift(c);
    queue.push(a);
    assert.equal(members(queue), 'ca');
  });
});
