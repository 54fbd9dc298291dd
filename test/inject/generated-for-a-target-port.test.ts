// Generated manifests, injected in target-port mode.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateManifest } from '../support/manifests.ts';
import { testGenerated } from './generated.ts';

testGenerated('target-port', [0, 2500]);

test('a manifest is the same for the same seed', () => {
  assert.deepEqual(generateManifest(7), generateManifest(7));
  assert.notDeepEqual(generateManifest(7), generateManifest(8));
});
