// The init image's script, with recorders in iptables' place: what it would load, what it refuses, which back end it
// takes. The real iptables are in test/e2e/redirect-in-a-network-namespace.test.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { needs } from '../../support/needs.ts';

const script = new URL('../../../src/init/redirect.sh', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'redirect-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Stand = { family: string; backend: string; answers: string };

/** Puts recorders in iptables' place: `-C` and `-S` find nothing, and a restore keeps what it read in FOLDER/NAME. */
function installRecorders(...broken: Stand[]): void {
  for (const family of ['iptables', 'ip6tables']) {
    for (const backend of ['nft', 'legacy']) {
      const refusing = broken.find((stand) => stand.family === family && stand.backend === backend);
      const name = `${family}-${backend}`;
      const refuse = `echo '${refusing?.answers}' >&2; exit 1`;
      write(name, refusing ? refuse : listing());
      write(
        `${name}-restore`,
        refusing ? refuse : `echo "$@" > '${folder}/${name}.args'; cat > '${folder}/${name}.read'`,
      );
    }
  }
}

/** What `-S` lists in one table, or in each. */
function listing(chain = '', table = ''): string {
  const more = chain === '' ? '' : `case "$*" in *"-t ${table}"*) echo '-N ${chain}' ;; esac`;
  return `case "$*" in *-S*) echo '-P PREROUTING ACCEPT'; ${more} ;; *) exit 1 ;; esac`;
}

function write(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
  for (const kept of ['args', 'read']) rmSync(join(folder, `${name}.${kept}`), { force: true });
}

function kept(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

type Outcome = { status: number | null; stdout: string; stderr: string };

function redirect(args: string[], env: Record<string, string> = {}, shell = ['sh']): Outcome {
  const [command = 'sh', ...first] = shell;
  const path = [folder, process.env.PATH].join(delimiter);
  const run = spawnSync(command, [...first, script, ...args], { encoding: 'utf8', env: { PATH: path, ...env } });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

const document = (...rules: string[]): string =>
  [
    '*nat',
    ':TLS_SIDECAR_IN - [0:0]',
    ...rules,
    '-A PREROUTING -p tcp -m comment --comment tls-sidecar/inbound -j TLS_SIDECAR_IN',
    'COMMIT',
    '',
  ].join('\n');

const rule = (from: number, to: number): string =>
  `-A TLS_SIDECAR_IN -p tcp -m tcp --dport ${from} -m comment --comment tls-sidecar/redirect-${from} -j REDIRECT --to-ports ${to}`;

const plan = (...rules: string[]): string =>
  `# iptables-nft-restore --noflush -w 10\n${document(...rules)}# ip6tables-nft-restore --noflush -w 10\n${document(...rules)}`;

beforeEach(() => installRecorders());

describe('the plan', () => {
  test('is one document per family, and --dry-run loads none', () => {
    assert.deepEqual(redirect(['--redirect', '80:8080', '--dry-run']), {
      status: 0,
      stdout: plan(rule(80, 8080)),
      stderr: '',
    });
    assert.equal(existsSync(join(folder, 'iptables-nft.read')), false);
  });

  test('takes several ports, repeated, with commas, with =', () => {
    const expected = plan(rule(80, 8080), rule(9090, 8081));
    assert.equal(redirect(['--redirect', '80:8080', '--redirect', '9090:8081', '--dry-run']).stdout, expected);
    assert.equal(redirect(['--redirect', '80:8080,9090:8081', '--dry-run']).stdout, expected);
    assert.equal(redirect(['--dry-run', '--redirect=80:8080', '--redirect=9090:8081']).stdout, expected);
  });

  test('comes from the environment, which a flag outdoes', () => {
    const env = { REDIRECT: '80:8080, 9090:8081' };
    assert.equal(redirect(['--dry-run'], env).stdout, plan(rule(80, 8080), rule(9090, 8081)));
    assert.equal(redirect(['--dry-run', '--redirect', '81:8080'], env).stdout, plan(rule(81, 8080)));
  });

  test('names no interface and no chain but PREROUTING and its own', () => {
    const lines = redirect(['--redirect', '80:8080', '--dry-run']).stdout.split('\n');
    for (const line of lines) {
      assert.doesNotMatch(line, / -i | -o |OUTPUT|--uid-owner/);
      if (line.startsWith('-')) assert.match(line, /^-A (PREROUTING|TLS_SIDECAR_IN) .*--comment tls-sidecar\//);
    }
  });

  test('reads the same to dash and to busybox', (t) => {
    if (!needs(t, 'dash', 'busybox')) return;
    for (const shell of [['dash'], ['busybox', 'sh']]) {
      assert.equal(redirect(['--redirect', '80:8080', '--dry-run'], {}, shell).stdout, plan(rule(80, 8080)));
      assert.equal(redirect(['--redirect', '80:8080'], {}, shell).status, 0);
    }
  });
});

describe('applying', () => {
  test('loads what --dry-run printed, into both families, and says so in one line', () => {
    assert.deepEqual(redirect(['--redirect', '80:8080']), {
      status: 0,
      stdout: 'tls-sidecar-init: inbound port 80 to 8080 (IPv4 and IPv6, iptables-nft)\n',
      stderr: '',
    });
    for (const name of ['iptables-nft', 'ip6tables-nft']) {
      assert.equal(kept(`${name}.read`), document(rule(80, 8080)));
      assert.equal(kept(`${name}.args`), '--noflush -w 10\n');
    }
  });

  test('falls back to iptables-legacy, for both families, and tells about NET_RAW', () => {
    installRecorders({ family: 'iptables', backend: 'nft', answers: 'Protocol not supported' });
    const run = redirect(['--redirect', '80:8080']);
    assert.equal(run.status, 0);
    assert.match(run.stderr, /^tls-sidecar-init: IPv4 with iptables-nft: Protocol not supported\. .*NET_RAW.*\n$/);
    assert.match(run.stdout, /\(IPv4 and IPv6, iptables-legacy\)/);
    assert.equal(kept('ip6tables-legacy.read'), document(rule(80, 8080)));
    assert.equal(existsSync(join(folder, 'ip6tables-nft.read')), false);
  });

  test('fails with both reasons and the mend when neither back end works', () => {
    installRecorders(
      { family: 'iptables', backend: 'nft', answers: 'Permission denied' },
      { family: 'iptables', backend: 'legacy', answers: 'cannot initialize' },
    );
    const run = redirect(['--redirect', '80:8080']);
    assert.equal(run.status, 1);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, /iptables-nft: Permission denied/);
    assert.match(run.stderr, /iptables-legacy: cannot initialize\. Nothing was redirected\. .*uid 0 .*NET_ADMIN/);
  });
});

describe('host networking', () => {
  const node = { POD_IP: '10.0.0.7', HOST_IP: '10.0.0.7' };

  test('is refused before anything is touched', () => {
    const run = redirect(['--redirect', '80:8080'], node);
    assert.equal(run.status, 1);
    assert.match(run.stderr, /^tls-sidecar-init: this Pod is on the host network .*10\.0\.0\.7.*hostNetwork.*\n$/);
    assert.equal(existsSync(join(folder, 'iptables-nft.read')), false);
  });

  test('is not suspected when the addresses differ or are not given', () => {
    assert.equal(redirect(['--redirect', '80:8080'], { ...node, POD_IP: '10.1.0.9' }).status, 0);
    assert.equal(redirect(['--redirect', '80:8080'], { HOST_IP: '10.0.0.7' }).status, 0);
    assert.equal(redirect(['--redirect', '80:8080'], { POD_IP: '', HOST_IP: '' }).status, 0);
  });
});

describe("a node's own chains", () => {
  const args = ['--redirect', '80:8080'];
  const chains: [tool: string, table: string, chain: string][] = [
    ['iptables-nft', 'nat', 'KUBE-SERVICES'],
    ['iptables-nft', 'mangle', 'KUBE-IPTABLES-HINT'],
    ['ip6tables-nft', 'filter', 'CNI-FORWARD'],
  ];
  for (const [tool, table, chain] of chains) {
    test(`are refused where nobody says that it is a Pod: ${chain} of ${tool}, ${table}`, () => {
      write(tool, listing(chain, table));
      for (const env of [{}, { HOST_IP: '10.0.0.7' }, { POD_IP: '10.1.0.9' }, { POD_IP: '', HOST_IP: '10.0.0.7' }]) {
        const run = redirect(args, env);
        assert.equal(run.status, 1);
        assert.match(
          run.stderr,
          new RegExp(`^tls-sidecar-init: this network namespace has the chain ${chain}, .*POD_IP`),
        );
        assert.equal(run.stdout, '');
      }
      for (const family of ['iptables-nft', 'ip6tables-nft'])
        assert.equal(existsSync(join(folder, `${family}.read`)), false);
    });
  }

  test('are those of a Pod that says so, and stop neither --dry-run, --verify nor --cleanup', () => {
    write('iptables-nft', listing('KUBE-SERVICES', 'nat'));
    assert.equal(redirect(args, { POD_IP: '10.1.0.9', HOST_IP: '10.0.0.7' }).status, 0);
    assert.equal(redirect([...args, '--dry-run']).status, 0);
    assert.equal(redirect(['--cleanup']).status, 0);
    assert.doesNotMatch(redirect([...args, '--verify']).stderr, /KUBE/);
  });

  test('may be in what cannot be read: nft is not used then', () => {
    write(
      'iptables-nft',
      'case "$*" in *filter*) echo broken >&2; exit 3 ;; *-S*) echo "-P INPUT ACCEPT" ;; *) exit 1 ;; esac',
    );
    const run = redirect(args);
    assert.match(run.stderr, /^tls-sidecar-init: IPv4 with iptables-nft: broken\. Trying iptables-legacy/);
    assert.equal(existsSync(join(folder, 'iptables-nft.read')), false);
  });

  test('are found although a rule behind them cannot be read', () => {
    write('iptables-nft', 'echo "Error: match extension not found" >&2; echo "-P INPUT ACCEPT"; exit 3');
    assert.equal(redirect(args).status, 0);
    write('iptables-nft', 'echo "-P INPUT ACCEPT"; echo "-N KUBE-FIREWALL"; echo "Error: no match" >&2; exit 3');
    assert.match(redirect(args).stderr, /has the chain KUBE-FIREWALL/);
  });

  test('are no others that only sound like them', () => {
    write('iptables-nft', listing('MY-KUBE-SERVICES', 'nat'));
    assert.equal(redirect(args).status, 0);
  });
});

describe('the admin port', () => {
  test('may be another one, or off', () => {
    const dry = (pair: string, admin: string): number | null =>
      redirect(['--redirect', pair, '--dry-run'], { TLS_SIDECAR_ADMIN: admin }).status;
    assert.deepEqual([dry('9901:8080', ':9902'), dry('9901:8080', 'off'), dry('80:9901', 'off')], [0, 0, 0]);
    assert.deepEqual(
      [dry('9902:8080', ':9902'), dry('9902:8080', '[::1]:9902'), dry('80:9902', '10.0.0.1:9902')],
      [2, 2, 2],
    );
    assert.equal(dry('9901:8080', ''), 2);
  });
});

describe('wrong usage ends with exit code 2 and says what', () => {
  const cases: [args: string, says: RegExp][] = [
    ['', /no port to redirect/],
    ['--redirect ,', /no port to redirect/],
    ['--redirect', /--redirect needs a value/],
    ['--redirect 80', /'80' is not FROM:TO/],
    ['--redirect 80:', /'80:' is not FROM:TO/],
    ['--redirect :8080', /':8080' is not FROM:TO/],
    ['--redirect 0:8080', /'0:8080' is not FROM:TO .* 1 and 65535/],
    ['--redirect 80:65536', /'80:65536' is not FROM:TO/],
    ['--redirect 80:99999999999999999999', /is not FROM:TO/],
    ['--redirect 080:8080', /'080:8080' is not FROM:TO/],
    ['--redirect http:8080', /'http:8080' is not FROM:TO/],
    ['--redirect 80:8080:90', /'80:8080:90' is not FROM:TO/],
    ['--redirect *:8080', /'\*:8080' is not FROM:TO/],
    ['--redirect 80:8080,80:8081', /port 80 is redirected twice/],
    ['--redirect 80:80', /port 80 is a FROM and a TO/],
    ['--redirect 80:8080 --redirect 8080:9090', /port 8080 is a FROM and a TO/],
    ['--redirect 9901:8080', /port 9901 is the sidecar's admin port: its probes would meet TLS/],
    ['--redirect 80:8080,9901:8081', /port 9901 is the sidecar's admin port/],
    ['--redirect 80:9901', /port 9901 is the sidecar's admin port, which speaks plain HTTP/],
    ['--redirect 80:8080 --force', /unknown argument '--force'/],
    ['--redirect 80:8080 --verify --dry-run', /--verify changes nothing/],
    ['--verify --cleanup', /exclude each other/],
  ];
  for (const [args, says] of cases) {
    test(args === '' ? '(no arguments)' : args, () => {
      const run = redirect(args.split(' ').filter(Boolean));
      assert.equal(run.status, 2);
      assert.match(run.stderr.split('\n')[0] ?? '', says);
      assert.match(run.stderr, /^usage: redirect --redirect FROM:TO/m);
      assert.equal(run.stdout, '');
    });
  }

  test('the highest port is one', () => {
    assert.equal(redirect(['--redirect', '1:65535', '--dry-run']).status, 0);
  });
});

test('--help prints the usage', () => {
  const run = redirect(['--help']);
  assert.equal(run.status, 0);
  assert.match(run.stdout, /^usage: redirect/);
});

test('shellcheck finds nothing', (t) => {
  if (!needs(t, 'shellcheck')) return;
  const run = spawnSync('shellcheck', [script], { encoding: 'utf8' });
  assert.equal(run.stdout, '');
});
