import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { giveBackSpares, Spares } from '../../../src/net/spares.ts';

describe('spare buffers', () => {
  it('are taken again, up to the number that is kept', () => {
    const spares = new Spares<string>(2);
    for (const item of ['a', 'b', 'c']) spares.keep(item);
    assert.deepEqual([spares.take(), spares.take(), spares.take()], ['b', 'a', undefined]);
  });

  it('of every kind are given back together', () => {
    const kinds = [new Spares<string>(2), new Spares<string>(2)];
    for (const kind of kinds) kind.keep('a');
    giveBackSpares();
    assert.deepEqual(
      kinds.map((kind) => kind.take()),
      [undefined, undefined],
    );
  });
});
