// A test whose tool is missing on this machine is skipped by name, with the reason, and fails in CI (where the environment
// variable CI is set), so that nothing rots unseen.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { isPresent, peers, remedyFor } from './peers.ts';

/**
 * True when all of them are there: programs, or conditions of the machine (peers.ts lists both).
 * Else the test is skipped and the answer is false, or, in CI, it throws an assertion that names the missing ones.
 */
export function needs(t: TestContext, ...wanted: string[]): boolean {
  for (const peer of wanted) assert.ok(peers.includes(peer), `test/support/peers.ts does not list ${peer}`);
  const missing = wanted.filter((peer) => !isPresent(peer));
  if (missing.length === 0) return true;
  const reason = missing.map((peer) => `needs ${peer}: ${remedyFor(peer)}`).join('; ');
  assert.ok(!process.env.CI, `${reason} (a test may not be skipped in CI)`);
  t.skip(reason);
  return false;
}
