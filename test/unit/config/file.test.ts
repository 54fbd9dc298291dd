// The file of --config: YAML and JSON, and one clear line for whatever else it may hold.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { didYouMean, readConfigFile } from '../../../src/config/file.ts';
import { OPTION_NAMES } from '../../../src/config/options.ts';

const dir = mkdtempSync(join(tmpdir(), 'config-file-'));
after(() => rmSync(dir, { recursive: true }));
let files = 0;

function readText(content: string | Buffer): {
  values: Record<string, string | string[]>;
  problems: string[];
  path: string;
} {
  const path = join(dir, `${++files}.yaml`);
  writeFileSync(path, content);
  const problems: string[] = [];
  return { values: readConfigFile(path, problems), problems, path };
}

describe('a file without mistakes', () => {
  const rows: readonly (readonly [what: string, content: string, values: Record<string, string>])[] = [
    ['an empty file', '', {}],
    ['nothing but a comment', '# nothing\n', {}],
    ['an empty document', '---\n', {}],
    ['an empty mapping', '{}', {}],
    [
      'YAML',
      'listen: :8443\nupstream: http://localhost:3000\n',
      { listen: ':8443', upstream: 'http://localhost:3000' },
    ],
    ['JSON', '{"listen": ":8443", "drain-delay": "5s"}', { listen: ':8443', 'drain-delay': '5s' }],
    ['JSON over several lines', '{\n\t"log-level": "warn"\n}\n', { 'log-level': 'warn' }],
    ['YAML with comments and quotes', "# a\nlisten: ':1' # b\n", { listen: ':1' }],
    [
      'numbers, as text',
      'upstream-max-connections: 12\ndrain-delay: 0\n',
      { 'upstream-max-connections': '12', 'drain-delay': '0' },
    ],
    ['off, which is no boolean in YAML 1.2', 'admin: off\naccess-log: off\n', { admin: 'off', 'access-log': 'off' }],
    ['a byte order mark', '\uFEFFlisten: :1\n', { listen: ':1' }],
    ['CRLF line ends', 'listen: :1\r\nadmin: :2\r\n', { listen: ':1', admin: ':2' }],
    ['an alias', 'header-timeout: &t 3s\nidle-timeout: *t\n', { 'header-timeout': '3s', 'idle-timeout': '3s' }],
    ['the name of a schema, which is for editors', '{"$schema": "./s.json", "listen": ":1"}', { listen: ':1' }],
    ['an empty text', 'listen: ""\n', { listen: '' }],
  ];
  for (const [what, content, values] of rows) {
    test(`is read: ${what}`, () => {
      const found = readText(content);
      assert.deepEqual([found.problems, found.values], [[], values]);
    });
  }
});

describe('a file with mistakes', () => {
  const rows: readonly (readonly [what: string, content: string | Buffer, told: RegExp])[] = [
    ['an unknown key', 'nonsense: 1\n', /: unknown option "nonsense"$/],
    ['a mistyped key', 'listne: :1\n', /: unknown option "listne"; did you mean listen\?$/],
    ['a key in camel case', 'idleTimeout: 1s\n', /: unknown option "idleTimeout"; did you mean idle-timeout\?$/],
    ['a key with underscores', 'idle_timeout: 1s\n', /: unknown option "idle_timeout"; did you mean idle-timeout\?$/],
    ['a key with dashes before it', '--listen: :1\n', /: unknown option "--listen"; did you mean listen\?$/],
    ['the variable as a key', 'TLS_SIDECAR_LISTEN: :1\n', /: unknown option "TLS_SIDECAR_LISTEN"/],
    ['config itself', 'config: other.yaml\n', /: unknown option "config"/],
    ['a number as a key', '1: x\n', /: unknown option "1"/],
    ['__proto__ as a key', '__proto__: x\n', /: unknown option "__proto__"/],
    ['constructor as a key', '{"constructor": "x"}', /: unknown option "constructor"/],
    ['a mapping as a value', 'listen: {port: 1}\n', /: "listen" must be a plain value$/],
    ['a list as a value', 'admin:\n  - :1\n', /: "admin" must be a plain value$/],
    ['nothing as a value', 'listen:\n', /: "listen" must be a plain value$/],
    ['null as a value', 'listen: ~\n', /: "listen" must be a plain value$/],
    ['a list', '- listen\n', /must hold a mapping of options, as "listen: :8443"$/],
    ['a text', 'listen\n', /must hold a mapping of options/],
    ['a number', '8080\n', /must hold a mapping of options/],
    ['a key twice', 'listen: :1\nlisten: :2\n', /is not valid YAML: Map keys must be unique/],
    ['a key twice in JSON', '{"listen": ":1", "listen": ":2"}', /is not valid YAML: Map keys must be unique/],
    ['broken YAML', 'listen: [\n', /is not valid YAML: /],
    ['broken JSON', '{"listen": ":1"', /is not valid YAML: /],
    ['tabs for indentation', 'a:\n\tb: 1\n', /is not valid YAML: /],
    ['two documents', 'listen: :1\n---\nlisten: :2\n', /is not valid YAML: /],
    ['an alias of nothing', 'listen: *nothing\n', /is not valid YAML: /],
    ['an alias within itself', 'listen: &a [*a]\n', /listen|is not valid YAML: /],
    ['PEM', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', /is not valid YAML|must hold a mapping/],
    ['bytes that are no text', Buffer.from([0, 1, 2, 0xff, 0xfe]), /is not valid YAML|must hold a mapping/],
  ];
  for (const [what, content, told] of rows) {
    test(`gives one line that names it: ${what}`, () => {
      const { problems, values, path } = readText(content);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', told);
      assert.ok(problems[0]?.startsWith('--config: ') && problems[0].includes(path), problems[0]);
      assert.doesNotMatch(problems[0] ?? '', /\n/);
      assert.deepEqual(values, {});
    });
  }

  test('tells every unknown key, and still gives what it knows', () => {
    const { problems, values } = readText('a1: 1\nlisten: :1\nb2: 2\nlog-level: []\nadmin: off\n');
    assert.equal(problems.length, 3);
    assert.deepEqual(values, { listen: ':1', admin: 'off' });
  });

  test('does not hang or grow over a flood of aliases', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [...pair])) {
      lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${of}`).join(',')}]`);
    }
    const { problems } = readText(`${lines.join('\n')}\n`);
    assert.ok(problems.length > 0 && problems.every((problem) => problem.startsWith('--config: ')));
  });
});

describe('a file that cannot be read', () => {
  const [missing, below] = [join(dir, 'missing.yaml'), join(process.execPath, 'x.yaml')];
  const rows: readonly (readonly [what: string, path: string, problem: string])[] = [
    ['is missing', missing, `cannot read ${missing} (ENOENT)`],
    ['lies below a file', below, `cannot read ${below} (ENOTDIR)`],
    ['is a directory', dir, `${dir} is not a regular file`],
    ['never ends', '/dev/zero', '/dev/zero is not a regular file'],
  ];
  for (const [what, path, problem] of rows) {
    test(`because it ${what} is one problem`, () => {
      const problems: string[] = [];
      assert.deepEqual(readConfigFile(path, problems), {});
      assert.deepEqual(problems, [`--config: ${problem}`]);
    });
  }
});

describe('the hint for a mistyped name', () => {
  const rows: readonly (readonly [name: string, hint: string])[] = [
    ['listne', 'listen'],
    ['lissten', 'listen'],
    ['isten', 'listen'],
    ['upstreem', 'upstream'],
    ['upstream-timeot', 'upstream-timeout'],
    ['drain-dely', 'drain-delay'],
    ['loglevel', 'log-level'],
    ['certs', 'cert'],
    ['ket', 'key'],
  ];
  for (const [name, hint] of rows) {
    test(`${name} is nearest to ${hint}`, () => {
      assert.equal(didYouMean(name), `; did you mean ${hint}?`);
      assert.equal(didYouMean(name, '--'), `; did you mean --${hint}?`);
    });
  }

  test('is the name itself for every option', () => {
    for (const name of OPTION_NAMES) assert.equal(didYouMean(name), `; did you mean ${name}?`);
  });

  test('is missing for what is near to nothing', () => {
    for (const name of ['nonsense', 'xyz', '', 'a very long name that is nothing at all'])
      assert.equal(didYouMean(name), '');
  });
});
