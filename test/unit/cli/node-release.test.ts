// Which Node releases carry the security fixes, at the edge of every line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPatched, PATCHED } from '../../../src/cli/node-release.ts';

const rows: readonly (readonly [version: string, patched: boolean])[] = [
  ['v18.20.8', false],
  ['v20.19.0', false],
  ['v20.20.2', false],
  ['v20.99.99', false],
  ['v21.7.3', false],
  ['v22.0.0', false],
  ['v22.23.1', false],
  ['v22.23.2', true],
  ['v22.23.10', true],
  ['v22.24.0', true],
  ['v23.11.1', false],
  ['v24.16.9', false],
  ['v24.17.0', true],
  ['v24.21.0', true],
  ['v25.9.0', false],
  ['v26.0.0', false],
  ['v26.3.0', false],
  ['v26.3.1', true],
  ['v26.10.0', true],
  ['v27.0.0', true],
  ['v28.0.0', true],
  ['v100.0.0', true],
  ['v24.17.0-rc.1', true],
  ['v24.16.0-nightly20261121abcdef', false],
];

for (const [version, patched] of rows) {
  test(`Node ${version} ${patched ? 'has' : 'lacks'} the fixes`, () => assert.equal(isPatched(version), patched));
}

test('every release that the warning recommends has the fixes, and the one before it lacks them', () => {
  const named = [...PATCHED.matchAll(/(\d+)\.(\d+)\.(\d+)/g)];
  assert.equal(named.length, 3);
  for (const [version, major, minor, patch] of named) {
    assert.equal(isPatched(`v${version}`), true, version);
    const before = Number(patch) > 0 ? `${minor}.${Number(patch) - 1}` : `${Number(minor) - 1}.99`;
    assert.equal(isPatched(`v${major}.${before}`), false, version);
  }
});
