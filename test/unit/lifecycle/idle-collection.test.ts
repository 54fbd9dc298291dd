import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collectWhenIdle, FIRST_QUIET_LOOKS, idleLook, QUIET_LOOKS } from '../../../src/lifecycle/idle-collection.ts';

/** How often there was a collection after each second of such a load. */
function collectionsAt(loads: readonly number[]): number[] {
  let collections = 0;
  let now = 0;
  const look = idleLook({ load: () => now, collect: () => collections++ });
  return loads.map((load) => {
    now = load;
    look();
    return collections;
  });
}

describe('the collection of an idle process', () => {
  it('comes once after the start, when it has been quiet for three seconds', () => {
    assert.deepEqual(collectionsAt([0.4, 0, 0, 0, 0, 0, 0, 0]), [0, 0, 0, 1, 1, 1, 1, 1]);
  });

  it('comes again after each busy time, when it has been quiet for longer: a pause of the load is no end of it', () => {
    const pause = Array.from({ length: QUIET_LOOKS - 1 }, () => 0);
    const begun = [0, 0, 0, 0.9, 0.5];
    assert.equal(collectionsAt([...begun, ...pause]).at(-1), 1);
    assert.equal(collectionsAt([...begun, ...pause, 0.9, ...pause]).at(-1), 1);
    assert.equal(collectionsAt([...begun, ...pause, 0]).at(-1), 2);
    assert.ok(FIRST_QUIET_LOOKS < QUIET_LOOKS);
  });

  it('never comes while there is work, however little at a time', () => {
    assert.deepEqual(collectionsAt([0, 0, 0.05, 0, 0, 0.05, 0, 0, 0.9]).at(-1), 0);
  });

  it('does not come again for a little work now and then, as probes are', () => {
    assert.equal(collectionsAt([0, 0, 0, 0.05, 0, 0, 0, 0.05, 0, 0, 0, 0]).at(-1), 1);
  });

  it('does not take its own pause for a busy time', () => {
    const loads = [0, 0, 0, 0.3, 0, 0, 0, 0];
    let collections = 0;
    const look = idleLook({ load: () => loads.shift() ?? 0, collect: () => collections++ });
    for (let second = 0; second < 8; second++) look();
    assert.equal(collections, 1);
  });

  it('keeps no process alive', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const stop = collectWhenIdle();
    assert.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, before);
    stop();
  });
});
