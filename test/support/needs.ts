// Says whether the tools that a test wants to talk to are on this machine. A test whose tool is missing is skipped by
// name on a user's machine and fails in CI (where the environment variable CI is set), so that nothing rots unseen.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

// Debian keeps nginx, ip and iptables out of an ordinary user's PATH.
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);

/** Where a tool's name is not its Debian package's. */
const packages: Record<string, string> = {
  ip: 'iproute2',
  'ip6tables-legacy': 'iptables',
  'ip6tables-nft': 'iptables',
  'iptables-legacy': 'iptables',
  'iptables-nft': 'iptables',
  nghttp: 'nghttp2-client',
  setpriv: 'util-linux',
  testssl: 'testssl.sh',
};

/** Conditions that are no program. */
const conditions: Record<string, { holds(): boolean; remedy: string }> = {
  root: { holds: () => process.getuid?.() === 0, remedy: 'run it as root' },
  netns: {
    holds: () => spawnSync('unshare', ['--net', 'true']).status === 0,
    remedy: 'run it as root, where new network namespaces are allowed',
  },
};

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isPresent(tool: string): boolean {
  const condition = conditions[tool];
  if (condition) return condition.holds();
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => isProgram(join(folder, tool)));
}

/**
 * True when every tool is there: names of programs, `root` (uid 0) or `netns` (network namespaces can be made).
 * Else the test is skipped and the answer is false, or, in CI, it throws an assertion that names the missing ones.
 */
export function needs(t: TestContext, ...tools: string[]): boolean {
  const missing = tools.filter((tool) => !isPresent(tool));
  if (missing.length === 0) return true;
  const reason = missing
    .map((tool) => `needs ${tool}: ${conditions[tool]?.remedy ?? `apt-get install ${packages[tool] ?? tool}`}`)
    .join('; ');
  assert.ok(!process.env.CI, `${reason} (a test may not be skipped in CI)`);
  t.skip(reason);
  return false;
}
