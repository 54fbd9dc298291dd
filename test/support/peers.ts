// The programs that the tests talk to, and what else a machine must offer for them: whether it is there, and what to do
// where it is not. Asked by the tests one by one (needs.ts), and all at once by test/run.ts, which prints what it found.

import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { canLimitMemory } from './memory-group.ts';

// Debian keeps nginx, ip and iptables out of an ordinary user's PATH.
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);

/** The one that Debian's packages are installed for, whatever else is in PATH. */
export const PYTHON = '/usr/bin/python3';

const KUBECTL_REMEDY = '.ci/kubectl FOLDER fetches it; put FOLDER on the PATH';

/** Each release that .ci/kubectl fetches. */
export const KUBECTLS = ['1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35'].map((release) => `kubectl-${release}`);

/** How each tells its version; its package on Debian where that has another name, or what else to do. */
const programs: Record<string, { version?: readonly string[]; package?: string; remedy?: string }> = {
  busybox: {},
  chromium: { version: ['--version'] },
  curl: { version: ['--version'] },
  dash: {},
  h2load: { version: ['--version'], package: 'nghttp2-client' },
  h2spec: {
    version: ['--version'],
    remedy: 'go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible, and put it into PATH',
  },
  haproxy: { version: ['-v'] },
  helm: { version: ['version', '--short'], remedy: KUBECTL_REMEDY },
  ip: { version: ['-V'], package: 'iproute2' },
  'ip6tables-legacy': { version: ['--version'], package: 'iptables' },
  'ip6tables-nft': { version: ['--version'], package: 'iptables' },
  'iptables-legacy': { version: ['--version'], package: 'iptables' },
  'iptables-nft': { version: ['--version'], package: 'iptables' },
  ...Object.fromEntries(KUBECTLS.map((name) => [name, { version: ['version', '--client'], remedy: KUBECTL_REMEDY }])),
  mount: { version: ['--version'] },
  nghttp: { version: ['--version'], package: 'nghttp2-client' },
  nghttpd: { version: ['--version'], package: 'nghttp2-server' },
  nginx: { version: ['-v'] },
  openssl: { version: ['version'] },
  prometheus: { version: ['--version'] },
  promtool: { version: ['--version'], package: 'prometheus' },
  setpriv: { version: ['--version'], package: 'util-linux' },
  shellcheck: { version: ['--version'] },
  testssl: { package: 'testssl.sh' },
  unshare: { version: ['--version'], package: 'util-linux' },
};

/** What is no program. */
const conditions: Record<string, { holds(): boolean; remedy: string }> = {
  root: { holds: () => process.getuid?.() === 0, remedy: 'run it as root' },
  netns: {
    holds: () => spawnSync('unshare', ['--net', 'true']).status === 0,
    remedy: 'run it as root, where new network namespaces are allowed',
  },
  ipv6: { holds: hasIpv6Loopback, remedy: 'give the loopback interface the address ::1' },
  'python3-h2': {
    holds: () => spawnSync(PYTHON, ['-c', 'import h2']).status === 0,
    remedy: 'apt-get install python3-h2',
  },
  'go-1.24': { holds: hasGo, remedy: 'install Go 1.24 or newer from go.dev/dl' },
  'memory-cgroup': {
    holds: canLimitMemory,
    remedy: 'run it as root, where control groups with the memory controller can be made',
  },
  'legacy-netfilter': {
    holds: () => spawnSync('unshare', ['--net', 'iptables-legacy', '-t', 'nat', '-S']).status === 0,
    remedy: 'modprobe iptable_nat ip6table_nat, as root',
  },
};

/** What the tests ask for; a test asks for nothing that is not listed here. */
export const peers: readonly string[] = [...Object.keys(programs), ...Object.keys(conditions)];

export function isPresent(peer: string): boolean {
  const condition = conditions[peer];
  if (condition) return condition.holds();
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => isProgram(join(folder, peer)));
}

export function remedyFor(peer: string): string {
  return conditions[peer]?.remedy ?? programs[peer]?.remedy ?? `apt-get install ${programs[peer]?.package ?? peer}`;
}

/** One line: what is there, with its version, and what is not. */
export async function peersLine(): Promise<string> {
  const found = await Promise.all(
    peers.map(async (peer) => ({ peer, line: isPresent(peer) ? await described(peer) : undefined })),
  );
  const present = found.flatMap(({ line }) => line ?? []);
  const absent = found.flatMap(({ peer, line }) => (line === undefined ? [peer] : []));
  return `peers: ${present.join(', ')}; not found: ${absent.join(', ') || 'none'}`;
}

async function described(peer: string): Promise<string> {
  const args = programs[peer]?.version;
  if (args === undefined) return peer;
  try {
    const { stdout, stderr } = await promisify(execFile)(peer, [...args], { timeout: 5000 });
    return `${peer} ${/\d+(?:\.\d+)+\w*/.exec(stdout + stderr)?.[0] ?? '(version unknown)'}`;
  } catch {
    return `${peer} (version unknown)`;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasIpv6Loopback(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ address }) => address === '::1');
}

/** From 1.24 on it serves HTTP/2 in clear text. */
function hasGo(): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(spawnSync('go', ['version']).stdout?.toString() ?? '') ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 24);
}
