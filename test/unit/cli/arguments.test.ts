// What a user may type, and what becomes of it: text by option name, or one line for each mistake. Never a throw.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseArguments } from '../../../src/cli/arguments.ts';
import { OPTION_NAMES, OPTIONS } from '../../../src/config/options.ts';

type Expected = { command?: string; flags?: Record<string, string>; configFile?: string; problems?: RegExp[] };

const rows: readonly (readonly [what: string, args: string[], expected: Expected])[] = [
  ['nothing is serve', [], {}],
  ['serve by name', ['serve'], {}],
  ['check', ['check'], { command: 'check' }],
  ['a flag and its value', ['--listen', ':1'], { flags: { listen: ':1' } }],
  ['a flag with =', ['--listen=:1'], { flags: { listen: ':1' } }],
  ['a value that holds =', ['--log-level=a=b'], { flags: { 'log-level': 'a=b' } }],
  ['a flag before the command', ['--listen', ':1', 'check'], { command: 'check', flags: { listen: ':1' } }],
  ['a flag behind the command', ['check', '--listen', ':1'], { command: 'check', flags: { listen: ':1' } }],
  ['a number stays text', ['--upstream-max-connections', '010'], { flags: { 'upstream-max-connections': '010' } }],
  ['0 stays text', ['--drain-delay', '0'], { flags: { 'drain-delay': '0' } }],
  ['off stays text', ['--admin', 'off'], { flags: { admin: 'off' } }],
  ['true stays text', ['--listen', 'true'], { flags: { listen: 'true' } }],
  ['a value is not read', ['--idle-timeout', 'nonsense'], { flags: { 'idle-timeout': 'nonsense' } }],
  ['the config file', ['--config', 'a.yaml'], { configFile: 'a.yaml' }],
  ['the config file with =', ['--config=a.yaml', 'check'], { command: 'check', configFile: 'a.yaml' }],
  ['an unknown option', ['--nonsense', 'x'], { problems: [/^unknown option --nonsense$/] }],
  ['a mistyped option', ['--listne', ':1'], { problems: [/^unknown option --listne; did you mean --listen\?$/] }],
  [
    'camel case',
    ['--idleTimeout', '1s'],
    { problems: [/^unknown option --idleTimeout; did you mean --idle-timeout\?$/] },
  ],
  ['an option that does not exist, negated', ['--no-nonsense'], { problems: [/^unknown option --(?:no-)?nonsense/] }],
  ['an option that takes a value, negated', ['--no-listen'], { problems: [/--(?:no-)?listen/] }],
  ['config, negated', ['--no-config'], { problems: [/config/] }],
  ['a switch', ['--http2'], { flags: { http2: 'true' } }],
  ['a switch, negated', ['--no-http2'], { flags: { http2: 'false' } }],
  ['a switch with true', ['--http2=true'], { flags: { http2: 'true' } }],
  ['a switch with false', ['--http2=false'], { flags: { http2: 'false' } }],
  ['a switch before the command', ['--no-http2', 'check'], { command: 'check', flags: { http2: 'false' } }],
  ['an option with a dot', ['--a.b', 'c'], { problems: [/^unknown option --a\.b$/] }],
  ['two unknown options', ['--x1', '--x2'], { problems: [/--x1/, /--x2/] }],
  ['an option without its value', ['--listen'], { problems: [/^--listen needs a value: \[HOST\]:PORT$/] }],
  ['an option with an empty value', ['--listen='], { problems: [/^--listen needs a value: \[HOST\]:PORT$/] }],
  [
    'an option before another',
    ['--listen', '--admin', 'off'],
    { flags: { admin: 'off' }, problems: [/--listen needs/] },
  ],
  ['an option twice', ['--admin', ':1', '--admin', ':2'], { problems: [/^--admin is given 2 times; once is enough$/] }],
  ['config without its value', ['--config'], { problems: [/config/] }],
  ['config twice', ['--config', 'a', '--config', 'b'], { problems: [/--config is given 2 times/] }],
  ['an unknown command', ['sreve'], { command: 'sreve', problems: [/^unknown command "sreve"; there are serve/] }],
  ['a number as a command', ['1'], { command: '1', problems: [/^unknown command "1"/] }],
  ['one word too many', ['check', 'this'], { command: 'check', problems: [/^unexpected argument "this"$/] }],
  ['one word too many behind --', ['serve', '--', 'this'], { problems: [/^unexpected argument "this"$/] }],
  ['names that every object has', ['--constructor', 'x'], { problems: [/^unknown option --constructor$/] }],
  ['… in other words', ['--toString', 'x'], { problems: [/^unknown option --toString$/] }],
  ['__proto__', ['--__proto__', 'x'], { problems: [/^unknown option --.*proto/] }],
  ['everything wrong at once', ['x', 'y', '--z', '--key='], { command: 'x', problems: [/--z/, /--key/, /"x"/, /"y"/] }],
];

describe('arguments', () => {
  for (const [what, args, { command = 'serve', flags = {}, configFile, problems = [] }] of rows) {
    test(`are read: ${what}`, async () => {
      const found = await parseArguments(args);
      assert.equal(found.problems.length, problems.length, found.problems.join('\n'));
      for (const [i, problem] of problems.entries()) assert.match(found.problems[i] ?? '', problem);
      assert.deepEqual([found.command, found.flags, found.told], [command, flags, '']);
      if (problems.length === 0) assert.equal(found.configFile, configFile);
    });
  }

  for (const value of ['yes', 'on', '1', 'TRUE', 'no']) {
    test(`never turn --http2=${value} into something else: it is told, here or when the value is read`, async () => {
      const { flags, problems } = await parseArguments([`--http2=${value}`]);
      assert.ok(problems.length > 0 || flags.http2 === value, `taken as ${flags.http2}`);
    });
  }

  test('may set every option', async () => {
    // What has no default is given some value: what it means is not read here.
    const values = OPTION_NAMES.map((name): [string, string] => [name, OPTIONS[name].default || 'x']);
    const args = values.map(([name, value]) => `--${name}=${value}`);
    const { flags, problems } = await parseArguments(args);
    assert.deepEqual(problems, []);
    assert.deepEqual(flags, Object.fromEntries(values));
  });

  test('are not taken out of the list that was given', async () => {
    const args = Object.freeze(['check', '--listen', ':1']);
    await parseArguments(args);
    assert.deepEqual(args, ['check', '--listen', ':1']);
  });
});

describe('help and version', () => {
  for (const args of [['--help'], ['serve', '--help'], ['check', '--help'], ['--help', '--listen', ':1']]) {
    test(`${args.join(' ')} tells every option with its default, and nothing else counts`, async () => {
      const { told, problems } = await parseArguments(args);
      assert.deepEqual(problems, []);
      for (const name of OPTION_NAMES) assert.ok(told.includes(`--${name}`), name);
      assert.match(told, /:8080/);
      assert.match(told, /TLS_SIDECAR_UPSTREAM_TIMEOUT/);
    });
  }

  for (const args of [['--version'], ['check', '--version']]) {
    test(`${args.join(' ')} tells the version alone`, async () => {
      const { told, problems } = await parseArguments(args);
      assert.deepEqual(problems, []);
      assert.match(told, /^\d+\.\d+\.\d+$/);
    });
  }
});
