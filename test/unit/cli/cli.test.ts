// What the program prints before it does anything, and its exit code. Commands that run are tested from outside.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../../../src/cli/cli.ts';

type Printed = { code: number; stdout: string; stderr: string };

async function runQuietly(t: TestContext, args: string[], env: Record<string, string> = {}): Promise<Printed> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    const write = process[name].write.bind(process[name]);
    t.mock.method(process[name], 'write', (...given: Parameters<typeof write>) => {
      // The runner reports on stdout too, in bytes.
      if (typeof given[0] !== 'string') return write(...given);
      printed[name] += given[0];
      return true;
    });
  }
  const code = await run(args, env);
  t.mock.restoreAll();
  return { code, ...printed };
}

describe('a mistake', () => {
  const rows: readonly (readonly [what: string, args: string[], env: Record<string, string>, stderr: RegExp])[] = [
    ['in an argument', ['--nonsense'], {}, /^tls-sidecar: unknown option --nonsense\n$/],
    [
      'in the command',
      ['chekc'],
      {},
      /^tls-sidecar: unknown command "chekc"; there are serve \(the default\), check, drain, inject, uninject and webhook\n$/,
    ],
    ['in a value', ['--listen', 'x'], {}, /^tls-sidecar: --listen takes .* the flag says "x"\n$/],
    [
      'in the environment',
      [],
      { TLS_SIDECAR_LISTEN: 'x' },
      /^tls-sidecar: --listen takes .* TLS_SIDECAR_LISTEN says "x"\n$/,
    ],
    [
      'in the name of the file',
      ['--config', '/nowhere'],
      {},
      /^tls-sidecar: --config: cannot read \/nowhere \(ENOENT\)\n$/,
    ],
    [
      'in the variable that names the file',
      [],
      { TLS_SIDECAR_CONFIG: '/nowhere' },
      /cannot read \/nowhere \(ENOENT\)\n$/,
    ],
    [
      'in two places',
      ['--x1', '--listen', 'x'],
      {},
      /^tls-sidecar: unknown option --x1\ntls-sidecar: --listen takes .*\n$/,
    ],
  ];
  for (const [what, args, env, stderr] of rows) {
    test(`${what} is a line on stderr and exit code 2`, async (t) => {
      const printed = await runQuietly(t, args, env);
      assert.deepEqual([printed.code, printed.stdout], [2, '']);
      assert.match(printed.stderr, stderr);
    });
  }

  test('the flag --config wins over its variable', async (t) => {
    const { stderr } = await runQuietly(t, ['--config', '/flag'], { TLS_SIDECAR_CONFIG: '/variable' });
    assert.equal(stderr, 'tls-sidecar: --config: cannot read /flag (ENOENT)\n');
  });

  test('an empty variable is a mistake, as with every other option', async (t) => {
    const { stderr } = await runQuietly(t, ['--nonsense'], { TLS_SIDECAR_CONFIG: '' });
    const told = '--config has an empty value in TLS_SIDECAR_CONFIG; give it one, or leave the option out';
    assert.equal(stderr, `tls-sidecar: unknown option --nonsense\ntls-sidecar: ${told}\n`);
  });
});

describe('what was asked for alone', () => {
  for (const args of [['--version'], ['--help'], ['check', '--help'], ['--version', '--listen', 'x']]) {
    test(`${args.join(' ')} goes to stdout with exit code 0`, async (t) => {
      const { code, stdout, stderr } = await runQuietly(t, args, { TLS_SIDECAR_LISTEN: 'x' });
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, args.includes('--version') ? /^\d+\.\d+\.\d+\n$/ : /^tls-sidecar \[serve\]/);
    });
  }

  for (const command of ['inject', 'uninject', 'webhook']) {
    test(`the short forms too, behind ${command}`, async (t) => {
      const version = await runQuietly(t, [command, '-v']);
      assert.deepEqual([version.code, version.stderr], [0, '']);
      assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
      const help = await runQuietly(t, [command, '-h']);
      assert.deepEqual([help.code, help.stderr], [0, '']);
      assert.match(help.stdout, new RegExp(`^tls-sidecar ${command} `));
    });
  }
});
