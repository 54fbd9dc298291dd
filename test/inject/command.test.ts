// The commands as they are shipped: what is read, what is on stdout and on stderr, and the exit code.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMs } from '../support/poll.ts';
import { repositoryRoot } from '../support/program.ts';
import { fixtures } from './workloads.ts';

const program = join(repositoryRoot, 'dist', 'proxy.js');
const web = fileURLToPath(new URL('web-server.yaml', fixtures));
const text = readFileSync(web, 'utf8');
const secret = ['--secret', 'web-tls'];

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-sidecar-inject-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

type Ran = { code: number | null; stdout: string; stderr: string };

function run(args: readonly string[], input: string | Buffer = '', script = program): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { input, timeout: patienceMs });
  return { code: status, stdout: stdout.toString(), stderr: stderr.toString() };
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('inject', () => {
  test('reads files, - or stdin, and writes to stdout what it tells of on stderr', () => {
    const [named, dash, none] = [
      run(['inject', ...secret, web]),
      run(['inject', ...secret, '-'], text),
      run(['inject', ...secret], text),
    ];
    assert.equal(
      named.stderr,
      'injected Pod/web: target-port, TLS for port 80 → 8080\nchanged Service/web: targetPort 80 → 8080\n',
    );
    assert.match(named.stdout, /image: tls-sidecar:\d+\.\d+\.\d+\n/);
    assert.deepEqual([dash, none], [named, named]);
    assert.equal(named.code, 0);
  });

  test('takes several files as one stream: a Service of one for the workload of another', () => {
    const [pod = '', service = ''] = text.split('---\n');
    const { stdout, code } = run(['inject', ...secret, file('pod.yaml', pod.trimEnd()), file('service.yaml', service)]);
    assert.equal(code, 0);
    assert.match(stdout, /containerPort: 80\n---\napiVersion: v1\nkind: Service\n/);
    assert.match(stdout, /targetPort: 8080/);
  });

  test('leaves JSON files without a separator, as kubectl reads them', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }] }] },
    };
    const one = file('one.json', JSON.stringify(pod));
    const { stdout } = run(['inject', ...secret, one, one]);
    const objects = JSON.parse(`[${stdout.replace('}\n{', '},{')}]`) as (typeof pod)[];
    assert.deepEqual(
      objects.map(({ spec }) => Object.keys(spec).includes('initContainers')),
      [true, true],
    );
  });

  test('and uninject give the bytes back, with a byte order mark, CRLF and no line break at the end', () => {
    const bytes = `\uFEFF${text.trimEnd().replaceAll('\n', '\r\n')}`;
    const { stdout, code } = run(['uninject'], run(['inject', ...secret], bytes).stdout);
    assert.equal(code, 0);
    assert.equal(stdout, bytes);
  });

  test('takes what is injected already as it is', () => {
    const once = run(['inject', ...secret], text).stdout;
    const twice = run(['inject', '--secret', 'other', '--mode', 'redirect'], once);
    assert.equal(twice.stdout, once);
    assert.match(
      twice.stderr,
      /^skipped Pod\/web: the sidecar is there already \(version .*\); uninject takes it out\n/,
    );
  });

  test('ends in order when nobody reads the rest', async () => {
    const child = spawn(process.execPath, [
      program,
      'inject',
      ...secret,
      file('long.yaml', `${text}---\nx: ${'y'.repeat(1e6)}\n`),
    ]);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Error|EPIPE/);
  });
});

describe('a mistake', () => {
  const broken = '---\na: [\n';
  const rows: readonly (readonly [what: string, args: string[], input: string | Buffer, stderr: RegExp])[] = [
    ['no Secret', ['inject'], text, /^tls-sidecar: --secret is missing: .*\n$/],
    [
      'an unknown flag',
      ['inject', ...secret, '--prot', '1'],
      text,
      /^tls-sidecar: unknown option --prot; inject --help lists them\n$/,
    ],
    [
      'a flag of an object',
      ['inject', ...secret, '--constructor', '1'],
      text,
      /^tls-sidecar: unknown option --constructor.*\n$/,
    ],
    [
      'a flag of inject for uninject',
      ['uninject', ...secret],
      text,
      /^tls-sidecar: unknown option --secret; uninject --help.*\n$/,
    ],
    ['a flag without a value', ['inject', '--secret'], text, /^tls-sidecar: --secret needs a value: NAME\n$/],
    ['a flag given twice', ['inject', ...secret, ...secret], text, /--secret is given 2 times; once is enough\n/],
    [
      'a port that needs root',
      ['inject', ...secret, '--listen-port', '443'],
      text,
      /^tls-sidecar: --listen-port takes a port from 1024 to 65535, .*\n$/,
    ],
    [
      'an app port that is none',
      ['inject', ...secret, '--app-port', '0'],
      text,
      /^tls-sidecar: --app-port takes a port of the app .*\n$/,
    ],
    [
      'a sleep without a unit',
      ['inject', ...secret, '--app-prestop-sleep', '8'],
      text,
      /^tls-sidecar: --app-prestop-sleep takes a duration .*\n$/,
    ],
    [
      'half a second',
      ['inject', ...secret, '--app-prestop-sleep', '500ms'],
      text,
      /^tls-sidecar: --app-prestop-sleep takes whole seconds.*\n$/,
    ],
    [
      'probes that nobody captures',
      ['inject', ...secret, '--probes', 'rewrite'],
      text,
      /^tls-sidecar: --probes rewrite needs --mode redirect.*\n$/,
    ],
    [
      'a file that is not there',
      ['inject', ...secret, '/nowhere.yaml'],
      '',
      /^tls-sidecar: cannot read \/nowhere\.yaml \(ENOENT\)\n$/,
    ],
    ['a directory', ['inject', ...secret, '/'], '', /^tls-sidecar: cannot read \/ \(a directory: name its files\)\n$/],
    [
      'text that is not UTF-8',
      ['inject', ...secret],
      Buffer.from([0x61, 0x3a, 0x20, 0xff, 0x0a]),
      /^tls-sidecar: cannot read stdin \(it is not UTF-8\)\n$/,
    ],
    [
      'YAML that is none',
      ['inject', ...secret],
      `${text}${broken}`,
      /^tls-sidecar: stdin is not valid YAML: .* at line \d+, column \d+\n$/,
    ],
    ['nothing', ['inject', ...secret], '', /^tls-sidecar: stdin: there is nothing to read\n$/],
    [
      'a template of Helm',
      ['inject', ...secret],
      'kind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n',
      /^tls-sidecar: stdin line 3: a template that is not rendered; run helm template first\n$/,
    ],
    ['YAML that is none, for uninject', ['uninject'], broken, /^tls-sidecar: stdin is not valid YAML: .*\n$/],
    [
      'an annotation that inject did not write',
      ['uninject'],
      'kind: Service\napiVersion: v1\nmetadata: {name: s, annotations: {tls-sidecar.dev/original: x}}\n',
      /^tls-sidecar: Service\/s: its annotation .* is not what inject wrote.*\n$/,
    ],
  ];
  for (const [what, args, input, stderr] of rows) {
    test(`(${what}) is one line on stderr, exit code 2, and nothing on stdout`, () => {
      const ran = run(args, input);
      assert.match(ran.stderr, stderr);
      assert.deepEqual([ran.code, ran.stdout], [2, '']);
    });
  }

  test('in one of two files is told with the name of the file, and nothing is on stdout', () => {
    const ran = run(['inject', ...secret, web, file('broken.yaml', broken)]);
    assert.match(ran.stderr, /^tls-sidecar: .*broken\.yaml is not valid YAML: .* at line 3, column 1\n$/);
    assert.deepEqual([ran.code, ran.stdout], [2, '']);
  });

  test('in each of two workloads is told of both', () => {
    const ran = run(
      ['inject', ...secret, '--listen-port', '5000'],
      `${text}---\n${text}`.replaceAll('containerPort: 80', 'containerPort: 5000'),
    );
    assert.equal(
      ran.stderr
        .split('\n')
        .filter((line) => /port 5000: container "app" uses it; choose another with --listen-port/.test(line)).length,
      2,
    );
    assert.deepEqual([ran.code, ran.stdout], [2, '']);
  });

  test('in where the command stands is told', () => {
    const ran = run(['--listen', ':8443', 'inject']);
    assert.match(ran.stderr, /"inject" comes first, as in tls-sidecar inject --help\n/);
    assert.equal(ran.code, 2);
  });
});

describe('what was asked for alone', () => {
  for (const command of ['inject', 'uninject']) {
    test(`${command} --help goes to stdout`, () => {
      const ran = run([command, '--help']);
      assert.deepEqual([ran.code, ran.stderr], [0, '']);
      assert.match(ran.stdout, new RegExp(`^tls-sidecar ${command} \\[FILE…\\|-\\]`));
    });
  }
});

test('what serves TLS loads neither the engine nor the YAML parser', () => {
  const dist = join(folder, 'dist');
  cpSync(join(repositoryRoot, 'dist'), dist, { recursive: true });
  cpSync(join(repositoryRoot, 'package.json'), join(folder, 'package.json'));
  const parts = readdirSync(dist).filter((name) => /^(?:inject-|yaml).*js$/.test(name));
  assert.equal(parts.length, 2, parts.join(', '));
  for (const part of parts) rmSync(join(dist, part));
  const ran = run(['check', '--cert', '/nowhere', '--key', '/nowhere'], '', join(dist, 'proxy.js'));
  assert.equal(ran.stderr, '');
  assert.match(ran.stdout, /The sidecar cannot start: /);
});
