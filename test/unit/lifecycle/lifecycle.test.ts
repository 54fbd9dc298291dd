// The states go one way, each change is told once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLifecycle, STATES, type State } from '../../../src/lifecycle/lifecycle.ts';

test('it starts, and tells nobody', () => {
  const told: State[] = [];
  assert.equal(createLifecycle((state) => void told.push(state)).state, 'starting');
  assert.deepEqual(told, []);
});

test('it goes through all states, and tells each once it has been entered', () => {
  const told: [State, State][] = [];
  const lifecycle = createLifecycle((state) => void told.push([state, lifecycle.state]));
  for (const state of ['ready', 'draining', 'stopped'] as const) {
    assert.equal(lifecycle.advance(state), true);
    assert.equal(lifecycle.state, state);
  }
  assert.deepEqual(told, [
    ['ready', 'ready'],
    ['draining', 'draining'],
    ['stopped', 'stopped'],
  ]);
});

for (const [i, from] of STATES.entries()) {
  for (const [j, to] of STATES.entries()) {
    test(`from ${from} it ${j > i ? 'goes' : 'does not go'} to ${to}`, () => {
      const told: State[] = [];
      const lifecycle = createLifecycle((state) => void told.push(state));
      lifecycle.advance(from);
      told.length = 0;
      assert.equal(lifecycle.advance(to), j > i);
      assert.equal(lifecycle.state, j > i ? to : from);
      assert.deepEqual(told, j > i ? [to] : []);
    });
  }
}

test('a change that is asked for from within the telling of another is told behind it', () => {
  const told: State[] = [];
  const lifecycle = createLifecycle((state) => {
    told.push(state);
    if (state === 'draining') lifecycle.advance('stopped');
  });
  lifecycle.advance('draining');
  assert.deepEqual([told, lifecycle.state], [['draining', 'stopped'], 'stopped']);
});
