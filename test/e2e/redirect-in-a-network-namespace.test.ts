// The init image's script against the kernel: a network namespace as the Pod, a second one as the client, a cable
// between them. In the Pod, "app" answers on port 80 and "sidecar" on 8080, and on two further ports "metrics" and "second", in
// both families; every answer says whom the client reached. Nothing outside of these two namespaces is touched.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { needs } from '../support/needs.ts';

const script = new URL('../../src/init/redirect.sh', import.meta.url).pathname;

const outside = ['10.99.0.1', '[fd99::1]'];
const inside = ['127.0.0.1', '[::1]', ...outside];

const jump = '-A PREROUTING -p tcp -m comment --comment "tls-sidecar/inbound" -j TLS_SIDECAR_IN';
const rule = (from: number, to: number): string =>
  `-A TLS_SIDECAR_IN -p tcp -m tcp --dport ${from} -m comment --comment "tls-sidecar/redirect-${from}" -j REDIRECT --to-ports ${to}`;

/** The programs that a kernel without nft leaves useless. */
const nft = ['iptables-nft', 'iptables-nft-restore', 'ip6tables-nft', 'ip6tables-nft-restore'];

const serve = `
  const { createServer } = require('node:http');
  const open = (port, name) => new Promise((up) => createServer((_, answer) => answer.end(name)).listen(port, '::', up));
  Promise.all([open(80, 'app'), open(8080, 'sidecar'), open(9090, 'metrics'), open(8081, 'second')]).then(() => console.log('up'));`;
const ask = `
  fetch(process.argv[1], { signal: AbortSignal.timeout(60_000) })
    .then((answer) => answer.text())
    .then(console.log, (error) => console.log(error.cause?.code ?? error.name));`;

type Outcome = { status: number | null; stdout: string; stderr: string };

function run(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Outcome {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env, timeout: 30_000 });
  return { status, stdout, stderr };
}

function ip(...args: string[]): void {
  const { status, stderr } = run('ip', args);
  assert.equal(status, 0, `ip ${args.join(' ')}: ${stderr}`);
}

interface Pod {
  /** Runs the script as the init container does; the programs named as broken fail instead of doing their work. */
  redirect(args: string[], broken?: readonly string[], env?: Record<string, string>): Outcome;
  /** Who answers a client outside of the Pod, or inside of it; or the error's code. */
  reachedFromOutside(address: string, port: number): string;
  reachedFromInside(address: string, port: number): string;
  /** What is in force and bears our name, as `iptables-nft-save` (or another) tells it. */
  rules(save: string): string[];
  exec(command: string, ...args: string[]): Outcome;
}

let count = 0;

async function openPod(t: TestContext): Promise<Pod> {
  count += 1;
  const pod = `tls-pod-${process.pid}-${count}`;
  const client = `tls-client-${process.pid}-${count}`;
  const folder = mkdtempSync(join(tmpdir(), 'redirect-'));
  t.after(() => {
    for (const namespace of [pod, client]) run('ip', ['netns', 'delete', namespace]);
    rmSync(folder, { recursive: true, force: true });
  });
  for (const namespace of [pod, client]) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
  ip('-n', pod, 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'uplink', 'netns', client);
  for (const [namespace, last] of [[pod, 1] as const, [client, 2] as const]) {
    ip('-n', namespace, 'address', 'add', `10.99.0.${last}/24`, 'dev', 'uplink');
    ip('-n', namespace, 'address', 'add', `fd99::${last}/64`, 'dev', 'uplink', 'nodad');
    ip('-n', namespace, 'link', 'set', 'uplink', 'up');
  }
  const servers = spawn('ip', ['netns', 'exec', pod, process.execPath, '-e', serve], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(servers, 'exit');
  t.after(async () => {
    servers.kill('SIGKILL');
    await ended;
  });
  const ready = await Promise.race([once(servers.stdout, 'data'), ended.then(() => undefined)]);
  assert.ok(ready, 'the two servers in the Pod ended before they listened');

  const execIn = (namespace: string, command: string, ...args: string[]): Outcome =>
    run('ip', ['netns', 'exec', namespace, command, ...args]);
  const reached = (namespace: string, address: string, port: number): string =>
    execIn(namespace, process.execPath, '-e', ask, `http://${address}:${port}/`).stdout.trim();

  return {
    redirect(args, broken = [], more = {}) {
      const programs = mkdtempSync(join(folder, 'broken-'));
      for (const name of broken) {
        writeFileSync(join(programs, name), '#!/bin/sh\necho "no such table" >&2\nexit 3\n');
        chmodSync(join(programs, name), 0o755);
      }
      const env = { PATH: [programs, process.env.PATH].join(delimiter), ...more };
      return run('ip', ['netns', 'exec', pod, 'sh', script, ...args], env);
    },
    reachedFromOutside: (address, port) => reached(client, address, port),
    reachedFromInside: (address, port) => reached(pod, address, port),
    rules: (save) =>
      execIn(pod, save, '-t', 'nat')
        .stdout.split('\n')
        .filter((line) => line.startsWith('-A') && line.includes('TLS_SIDECAR_IN')),
    exec: (command, ...args) => execIn(pod, command, ...args),
  };
}

/** A test that gets a Pod of its own. */
function inPod(name: string, body: (pod: Pod, t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (!needs(t, 'root', 'netns', 'ip', 'iptables-nft', 'ip6tables-nft')) return;
    await body(await openPod(t), t);
  });
}

inPod('a client outside reaches the sidecar on the captured port, in both families', (pod) => {
  for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'app');
  assert.deepEqual(pod.redirect(['--redirect', '80:8080']), {
    status: 0,
    stdout: 'tls-sidecar-init: inbound port 80 to 8080 (IPv4 and IPv6, iptables-nft)\n',
    stderr: '',
  });
  for (const address of outside) {
    assert.equal(pod.reachedFromOutside(address, 80), 'sidecar');
    assert.equal(pod.reachedFromOutside(address, 8080), 'sidecar');
  }
});

inPod('inside of the Pod port 80 is still the app, so the sidecar does not meet itself', (pod) => {
  assert.equal(pod.redirect(['--redirect', '80:8080']).status, 0);
  for (const address of inside) assert.equal(pod.reachedFromInside(address, 80), 'app');
});

inPod('several ports arrive each at its own, and inside of the Pod all stay as they are', (pod) => {
  assert.deepEqual(pod.redirect(['--redirect', '80:8080', '--redirect', '9090:8081']), {
    status: 0,
    stdout: 'tls-sidecar-init: inbound port 80 to 8080, 9090 to 8081 (IPv4 and IPv6, iptables-nft)\n',
    stderr: '',
  });
  for (const address of outside) {
    assert.equal(pod.reachedFromOutside(address, 80), 'sidecar');
    assert.equal(pod.reachedFromOutside(address, 9090), 'second');
  }
  for (const address of inside) {
    assert.equal(pod.reachedFromInside(address, 80), 'app');
    assert.equal(pod.reachedFromInside(address, 9090), 'metrics');
  }
  assert.equal(pod.redirect(['--verify'], [], { REDIRECT: '80:8080,9090:8081' }).status, 0);
});

inPod('run again, it leaves one jump and one rule', (pod) => {
  for (let i = 0; i < 3; i += 1) assert.equal(pod.redirect(['--redirect', '80:8080']).status, 0);
  for (const save of ['iptables-nft-save', 'ip6tables-nft-save']) {
    assert.deepEqual(pod.rules(save), [jump, rule(80, 8080)]);
  }
});

inPod('run with other ports, it replaces what was there', (pod) => {
  assert.equal(pod.redirect(['--redirect', '80:8080,443:8443']).status, 0);
  assert.equal(pod.redirect(['--redirect', '81:8080']).status, 0);
  assert.deepEqual(pod.rules('iptables-nft-save'), [jump, rule(81, 8080)]);
  assert.equal(pod.reachedFromOutside('10.99.0.1', 80), 'app');
  assert.equal(pod.reachedFromOutside('10.99.0.1', 81), 'sidecar');
});

inPod("other people's rules stay as they are", (pod) => {
  const theirs = ['-A', 'PREROUTING', '-p', 'tcp', '-m', 'tcp', '--dport', '9000', '-j', 'ACCEPT'];
  assert.equal(pod.exec('iptables-nft', '-t', 'nat', ...theirs).status, 0);
  for (const args of [['--redirect', '80:8080'], ['--cleanup']]) {
    assert.equal(pod.redirect(args).status, 0);
    assert.ok(pod.exec('iptables-nft-save', '-t', 'nat').stdout.includes(theirs.join(' ')));
  }
});

inPod('--dry-run changes nothing, and leaves the jump out where it is', (pod) => {
  const before = pod.redirect(['--redirect', '80:8080', '--dry-run']).stdout;
  assert.equal(before.match(/-A PREROUTING/g)?.length, 2);
  assert.deepEqual(pod.rules('iptables-nft-save'), []);
  pod.redirect(['--redirect', '80:8080']);
  assert.doesNotMatch(pod.redirect(['--redirect', '80:8080', '--dry-run']).stdout, /-A PREROUTING/);
});

inPod('--verify tells what is missing and what is too much', (pod) => {
  const verify = (ports: string): Outcome => pod.redirect(['--verify', '--redirect', ports]);
  const fails = (ports: string, says: RegExp): void => {
    const outcome = verify(ports);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, says);
  };
  fails('80:8080', /IPv4 with iptables-nft: no redirect of port 80 to 8080\. Run this again without --verify/);
  assert.deepEqual(pod.rules('iptables-nft-save'), []);

  pod.redirect(['--redirect', '80:8080']);
  assert.deepEqual(verify('80:8080'), {
    status: 0,
    stdout: 'tls-sidecar-init: verified: inbound port 80 to 8080 (IPv4 and IPv6, iptables-nft)\n',
    stderr: '',
  });
  fails('80:8081', /no redirect of port 80 to 8081/);

  pod.redirect(['--redirect', '80:8080,90:8081']);
  fails('80:8080', /TLS_SIDECAR_IN holds other rules too/);

  pod.redirect(['--redirect', '80:8080']);
  pod.exec('ip6tables-nft', '-t', 'nat', '-F', 'PREROUTING');
  fails('80:8080', /IPv6 with ip6tables-nft: 0 jumps from PREROUTING/);
});

inPod('--cleanup gives the port back to the app, and may be run again', (pod) => {
  pod.redirect(['--redirect', '80:8080']);
  for (let i = 0; i < 2; i += 1) {
    assert.equal(
      pod.redirect(['--cleanup']).stdout,
      'tls-sidecar-init: redirects removed (IPv4 and IPv6, iptables-nft)\n',
    );
    for (const save of ['iptables-nft-save', 'ip6tables-nft-save']) {
      assert.doesNotMatch(pod.exec(save, '-t', 'nat').stdout, /TLS_SIDECAR_IN/);
    }
  }
  for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'app');
});

inPod('without IPv6 NAT it fails when the Pod has an IPv6 address', (pod) => {
  const outcome = pod.redirect(['--redirect', '80:8080'], ['ip6tables-nft', 'ip6tables-nft-restore']);
  assert.equal(outcome.status, 1);
  assert.equal(outcome.stdout, '');
  assert.match(outcome.stderr, /^tls-sidecar-init: IPv6 with ip6tables-nft: no such table\. .*without TLS.*\n$/);
});

inPod('without IPv6 NAT it goes on, and says so, when the Pod has IPv4 only', (pod) => {
  pod.exec('ip', '-6', 'address', 'flush', 'dev', 'uplink', 'scope', 'global');
  const outcome = pod.redirect(['--redirect', '80:8080'], ['ip6tables-nft', 'ip6tables-nft-restore']);
  assert.equal(outcome.status, 0);
  assert.match(outcome.stderr, /^tls-sidecar-init: IPv6 .*no such table\. Left alone.*no global IPv6 address\n$/);
  assert.equal(outcome.stdout, 'tls-sidecar-init: inbound port 80 to 8080 (IPv4 only, iptables-nft)\n');
  assert.equal(pod.reachedFromOutside('10.99.0.1', 80), 'sidecar');
});

const pod = { POD_IP: '10.99.0.1', HOST_IP: '10.99.0.2' };

for (const [program, table, chain] of [
  ['iptables-nft', 'nat', 'KUBE-SERVICES'],
  ['ip6tables-nft', 'mangle', 'KUBE-KUBELET-CANARY'],
  ['iptables-nft', 'filter', 'CNI-FORWARD'],
] as const) {
  inPod(`a network namespace with ${chain} is the node's, unless POD_IP and HOST_IP say otherwise`, (node) => {
    assert.equal(node.exec(program, '-t', table, '-N', chain).status, 0);
    const refused = node.redirect(['--redirect', '80:8080']);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      new RegExp(`^tls-sidecar-init: this network namespace has the chain ${chain}, .*\\n$`),
    );
    for (const save of ['iptables-nft-save', 'ip6tables-nft-save']) assert.deepEqual(node.rules(save), []);
    for (const address of outside) assert.equal(node.reachedFromOutside(address, 80), 'app');
    assert.equal(node.redirect(['--redirect', '80:8080'], [], pod).status, 0);
    for (const address of outside) assert.equal(node.reachedFromOutside(address, 80), 'sidecar');
  });
}

inPod("a node's chains of iptables-legacy are found, too, and what cannot be read may hold them", (node, t) => {
  if (!needs(t, 'iptables-legacy', 'ip6tables-legacy', 'legacy-netfilter', 'setpriv')) return;
  assert.equal(node.exec('iptables-legacy', '-t', 'filter', '-N', 'KUBE-FIREWALL').status, 0);
  assert.match(node.redirect(['--redirect', '80:8080']).stderr, /has the chain KUBE-FIREWALL/);
  const args = ['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all,+net_admin', 'sh', script];
  const without = node.exec('setpriv', ...args, '--redirect', '80:8080');
  assert.equal(without.status, 1);
  assert.match(without.stderr, /the tables of iptables-legacy are in use and cannot be read .*set POD_IP and HOST_IP/);
  assert.deepEqual(node.rules('iptables-nft-save'), []);
});

/** Those that Dockerfile.init keeps, out of the folder that this machine's iptables has. */
function keptModules(folder: string): string {
  const dockerfile = readFileSync(new URL('../../Dockerfile.init', import.meta.url), 'utf8');
  const names = /for module in ([^;]+);/.exec(dockerfile)?.[1]?.split(' ') ?? [];
  assert.deepEqual(names, ['comment', 'tcp', 'REDIRECT', 'standard']);
  const from = dirname(
    run('sh', ['-c', 'ls /usr/lib*/xtables/libxt_tcp.so /usr/lib/*/xtables/libxt_tcp.so']).stdout.trim(),
  );
  for (const name of names)
    for (const file of [`libxt_${name}.so`, `libipt_${name}.so`, `libip6t_${name}.so`])
      if (existsSync(join(from, file))) copyFileSync(join(from, file), join(folder, file));
  return folder;
}

for (const backend of ['nft', 'legacy'] as const) {
  inPod(`the modules that the image keeps are enough for iptables-${backend}`, (pod, t) => {
    if (!needs(t, 'iptables-legacy', 'ip6tables-legacy', 'legacy-netfilter')) return;
    const folder = mkdtempSync(join(tmpdir(), 'modules-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const env = { XTABLES_LIBDIR: keptModules(folder) };
    const broken = backend === 'legacy' ? nft : [];
    const args = ['--redirect', '80:8080', '--redirect', '9090:8081'];
    for (let i = 0; i < 2; i += 1) assert.equal(pod.redirect(args, broken, env).status, 0);
    for (const address of outside) {
      assert.equal(pod.reachedFromOutside(address, 80), 'sidecar');
      assert.equal(pod.reachedFromOutside(address, 9090), 'second');
    }
    assert.equal(pod.redirect(['--verify', ...args], broken, env).status, 0);
    assert.equal(pod.redirect(['--cleanup'], broken, env).status, 0);
    for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'app');
  });
}

inPod('rules of others that need modules which the image lacks stay, and do not keep ours away', (pod, t) => {
  const folder = mkdtempSync(join(tmpdir(), 'modules-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { XTABLES_LIBDIR: keptModules(folder) };
  const theirs = ['-A', 'PREROUTING', '-p', 'udp', '-m', 'multiport', '--dports', '7,9', '-j', 'ACCEPT'];
  assert.equal(pod.exec('iptables-nft', '-t', 'nat', ...theirs).status, 0);
  assert.equal(pod.redirect(['--redirect', '80:8080'], [], env).status, 0);
  for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'sidecar');
  assert.ok(pod.exec('iptables-nft-save', '-t', 'nat').stdout.includes(theirs.join(' ')));
});

inPod('NET_ADMIN is all it needs, and without it it says so', (pod, t) => {
  if (!needs(t, 'setpriv')) return;
  const as = (capabilities: string): Outcome =>
    pod.exec(
      'setpriv',
      '--no-new-privs',
      '--inh-caps=-all',
      `--bounding-set=${capabilities}`,
      'sh',
      script,
      '--redirect',
      '80:8080',
    );
  const none = as('-all');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /Nothing was redirected\. Run this container as uid 0 with the capability NET_ADMIN/);
  assert.equal(as('-all,+net_admin').status, 0);
  assert.equal(pod.reachedFromOutside('10.99.0.1', 80), 'sidecar');
});

inPod('with iptables-legacy it captures, verifies and cleans up just so', (pod, t) => {
  if (!needs(t, 'iptables-legacy', 'ip6tables-legacy', 'legacy-netfilter')) return;
  for (let i = 0; i < 2; i += 1) assert.equal(pod.redirect(['--redirect', '80:8080'], nft).status, 0);
  for (const save of ['iptables-legacy-save', 'ip6tables-legacy-save']) {
    assert.deepEqual(pod.rules(save), [jump, rule(80, 8080)]);
  }
  for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'sidecar');
  for (const address of inside) assert.equal(pod.reachedFromInside(address, 80), 'app');
  assert.match(
    pod.redirect(['--verify', '--redirect', '80:8080']).stdout,
    /^tls-sidecar-init: verified: .*iptables-legacy/,
  );
  assert.equal(pod.redirect(['--cleanup']).status, 0);
  for (const address of outside) assert.equal(pod.reachedFromOutside(address, 80), 'app');
});
