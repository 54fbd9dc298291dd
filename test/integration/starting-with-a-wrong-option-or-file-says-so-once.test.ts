// A start that cannot succeed ends at once with exit code 2 and one line on stderr for each problem, which names the
// thing and says what is right; nothing on stdout, never a stack trace.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { runToExit } from '../support/program.ts';
import { type Stage, setStage } from '../support/stage.ts';

type Start = {
  what: string;
  args?: string[] | ((stage: Stage, t: TestContext) => Promise<string[]>);
  env?: Record<string, string>;
  /** The content of a file that is given as --config. */
  config?: string;
  /** One pattern a line of stderr, in any order. */
  says: RegExp[];
};

const starts: Start[] = [
  { what: 'an unknown option', args: ['--bogus', '1'], says: [/unknown option --bogus/] },
  {
    what: 'a mistyped option',
    args: ['--upstraem', 'x'],
    says: [/unknown option --upstraem; did you mean --upstream\?/],
  },
  { what: 'an option in camel case', args: ['--idleTimeout', '5s'], says: [/unknown option --idleTimeout/] },
  { what: 'a short option', args: ['-x'], says: [/unknown option --?x/] },
  { what: 'an option named as a property of every object', args: ['--toString', '1'], says: [/--toString/] },
  { what: 'an option named as the prototype', args: ['--__proto__', '1'], says: [/unknown option/] },
  { what: 'an option twice', args: ['--idle-timeout', '5s', '--idle-timeout', '6s'], says: [/--idle-timeout.*once/] },
  { what: 'an option without its value', args: ['--idle-timeout'], says: [/--idle-timeout needs a value/] },
  { what: 'an unknown command', args: ['nope'], says: [/unknown command "nope".*serve/] },
  { what: 'a surplus argument', args: ['serve', 'more'], says: [/unexpected argument "more"/] },
  {
    what: 'a duration without a unit',
    args: ['--idle-timeout', '5'],
    says: [/--idle-timeout takes a duration with its unit.*the flag says "5"/],
  },
  {
    what: 'a duration in no known unit',
    args: ['--idle-timeout', '5parsecs'],
    says: [/--idle-timeout takes.*5parsecs/],
  },
  { what: 'a negative duration', args: ['--idle-timeout=-5s'], says: [/--idle-timeout takes.*"-5s"/] },
  { what: 'a limit of 0', args: ['--header-timeout', '0'], says: [/--header-timeout takes a duration above 0/] },
  { what: 'a duration beyond a day', args: ['--idle-timeout', '25h'], says: [/--idle-timeout takes.*24h/] },
  { what: 'a size that is none', args: ['--max-header-size', '16 KiB'], says: [/--max-header-size takes a size/] },
  {
    what: 'a count of 0',
    args: ['--upstream-max-connections', '0'],
    says: [/--upstream-max-connections takes.*at least 1/],
  },
  { what: 'a port beyond 65535', args: ['--admin', ':65536'], says: [/--admin takes \[HOST\]:PORT.*":65536"/] },
  { what: 'an address without a port', args: ['--admin', 'localhost'], says: [/--admin takes \[HOST\]:PORT/] },
  { what: 'an app that is no http URL', args: ['--upstream', 'https://a:1'], says: [/--upstream takes http:\/\//] },
  { what: 'an app with a path', args: ['--upstream', 'http://a:1/b'], says: [/--upstream takes.*without a path/] },
  { what: 'a forwarder that is none', args: ['--forwarder', 'nginx'], says: [/--forwarder takes.*wire, http-proxy/] },
  {
    what: 'the sidecar as its own app',
    args: ['--listen', ':8080', '--upstream', 'http://localhost:8080'],
    says: [/--upstream and --listen are the same port 8080/],
  },
  {
    what: 'the sidecar as its own app, by another of its ports',
    args: ['--listen', ':8080', '--listen', ':8081', '--upstream', 'http://localhost:8081', '--upstream', 'http://a:1'],
    says: [/--upstream and --listen are the same port 8081/],
  },
  {
    what: 'one port twice',
    args: ['--listen', ':8081', '--listen', '127.0.0.1:8081'],
    says: [/--listen names port 8081 twice; give each its own$/m],
  },
  {
    what: 'more apps than ports',
    args: ['--upstream', 'http://a:1', '--upstream', 'http://b:1'],
    says: [
      /--listen is given 1 times and --upstream 2 times; give as many --upstream, in the same order, or one for all/,
    ],
  },
  {
    what: 'one port for two purposes',
    args: ['--listen', ':8080', '--admin', ':8080'],
    says: [/--admin and --listen are the same port 8080/],
  },
  {
    what: 'a drain delay beyond the drain time-out',
    args: ['--drain-delay', '30s'],
    says: [/--drain-delay is longer than --drain-timeout/],
  },
  {
    what: 'a wrong variable',
    env: { TLS_SIDECAR_IDLE_TIMEOUT: '7' },
    says: [/--idle-timeout takes.*TLS_SIDECAR_IDLE_TIMEOUT says "7"/],
  },
  { what: 'a configuration file that is not there', args: ['--config', '/no/such'], says: [/--config.*\/no\/such/] },
  { what: 'a configuration file that is no YAML', config: 'a: [', says: [/--config.*options\.yaml is not valid YAML/] },
  { what: 'a configuration file that is a list', config: '- listen', says: [/--config.*must hold a mapping/] },
  {
    what: 'an unknown key in the file',
    config: 'listn: :8443',
    says: [/options\.yaml: unknown option "listn"; did you mean listen\?/],
  },
  { what: 'a key twice in the file', config: 'listen: :1\nlisten: :2', says: [/options\.yaml.*unique.*line 2/] },
  {
    what: 'a list as the value of a plain option',
    config: 'admin: [":1"]',
    says: [/options\.yaml: "admin" must be/],
  },
  {
    what: 'a wrong value in the file, which is JSON',
    config: '{"idle-timeout": 5}',
    says: [/--idle-timeout takes.*options\.yaml says "5"/],
  },
  {
    what: 'all problems at once, from flags, environment and file',
    args: ['--bogus', '1', '--listen', 'x', '--plaintext', 'maybe'],
    env: { TLS_SIDECAR_HEADER_TIMEOUT: 'soon' },
    config: 'nope: 1\nidle-timeout: 5',
    says: [/--bogus/, /--listen/, /--plaintext/, /TLS_SIDECAR_HEADER_TIMEOUT/, /"nope"/, /--idle-timeout/],
  },
  {
    what: 'a certificate that is not there',
    args: ['--cert', '/no/tls.crt', '--key', '/no/tls.key'],
    says: [/\/no\/tls\.crt does not exist; see --cert and --key/],
  },
  {
    what: 'a relative path that leads nowhere',
    args: ['--cert', 'certs/none.crt'],
    says: [/certs\/none\.crt does not exist/],
  },
  {
    what: 'a directory as the certificate',
    args: async ({ dir, volume }) => ['--cert', dir, '--key', volume.path('tls.key')],
    says: [/is not a regular file/],
  },
  {
    what: 'a file without end as the certificate',
    args: async ({ volume }) => ['--cert', '/dev/zero', '--key', volume.path('tls.key')],
    says: [/\/dev\/zero is not a regular file/],
  },
  {
    what: 'a key of another certificate',
    args: async (stage) => {
      await writeFile(join(stage.dir, 'other.key'), (await stage.issue()).key);
      return pairOf(stage, { key: join(stage.dir, 'other.key') });
    },
    says: [/other\.key does not belong to the certificate in .*tls\.crt/],
  },
  {
    what: 'an empty key',
    args: async (stage) => {
      await writeFile(join(stage.dir, 'empty.key'), '');
      return pairOf(stage, { key: join(stage.dir, 'empty.key') });
    },
    says: [/empty\.key is empty/],
  },
  {
    what: 'the TLS port in use',
    args: async (stage, t) => [...pairOf(stage), '--listen', `127.0.0.1:${await usedPort(t)}`, '--admin', 'off'],
    says: [/--listen: cannot listen on 127\.0\.0\.1:\d+: it is in use by another process/],
  },
  {
    what: 'the admin port in use',
    args: async (stage, t) => [
      ...pairOf(stage),
      '--listen',
      '127.0.0.1:0',
      '--admin',
      `127.0.0.1:${await usedPort(t)}`,
    ],
    says: [/--admin: cannot listen on 127\.0\.0\.1:\d+: it is in use by another process/],
  },
  {
    what: 'one of two ports in use',
    args: async (stage, t) => [
      ...[...pairOf(stage), '--listen', '127.0.0.1:0', '--listen', `127.0.0.1:${await usedPort(t)}`],
      ...['--admin', 'off'],
    ],
    says: [/--listen: cannot listen on 127\.0\.0\.1:[1-9]\d*: it is in use by another process/],
  },
  {
    what: 'both of two ports that cannot be had',
    args: async (stage, t) => [
      ...[...pairOf(stage), '--listen', `127.0.0.1:${await usedPort(t)}`, '--listen', '192.0.2.1:8080'],
      ...['--admin', 'off'],
    ],
    says: [/--listen: cannot listen on 127\.0\.0\.1:/, /--listen: cannot listen on 192\.0\.2\.1:8080: this machine/],
  },
  {
    what: 'an address that is not ours',
    args: async (stage) => [...pairOf(stage), '--listen', '192.0.2.1:8080', '--admin', 'off'],
    says: [/--listen: cannot listen on 192\.0\.2\.1:8080: this machine does not have the address/],
  },
  {
    what: 'a host name that does not resolve',
    args: async (stage) => [...pairOf(stage), '--listen', 'no-such-host.invalid:8080', '--admin', 'off'],
    says: [/--listen: cannot listen on no-such-host\.invalid:8080: (?:the host name is unknown|EAI_AGAIN)/],
  },
];

function pairOf({ volume }: Stage, other: { key?: string } = {}): string[] {
  return ['--cert', volume.path('tls.crt'), '--key', other.key ?? volume.path('tls.key')];
}

async function usedPort(t: TestContext): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('a wrong start is told in one line a problem', { concurrency: 4 }, () => {
  for (const start of starts) {
    test(start.what, async (t) => {
      const stage = await setStage(t);
      const given = typeof start.args === 'function' ? await start.args(stage, t) : (start.args ?? []);
      const file = join(stage.dir, 'options.yaml');
      if (start.config !== undefined) await writeFile(file, start.config);
      const args = [...given, ...(start.config === undefined ? [] : ['--config', file])];
      const { code, stdout, stderr } = await runToExit(args, { env: start.env ?? {}, cwd: stage.dir });
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' }, stderr);
      const lines = stderr.trimEnd().split('\n');
      assert.equal(lines.length, start.says.length, stderr);
      for (const line of lines) assert.match(line, /^tls-sidecar: \S.*[^:\s]$/);
      for (const pattern of start.says) assert.match(stderr, pattern);
    });
  }
});

test('check refuses a wrong option as serve does', async () => {
  const { code, stdout, stderr } = await runToExit(['check', '--bogus', '1']);
  assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: '', stderr: 'tls-sidecar: unknown option --bogus\n' });
});

test('the key of the pair is in no message', async (t) => {
  const stage = await setStage(t);
  const secret = stage.pair.key.split('\n')[1] ?? '';
  await writeFile(join(stage.dir, 'half.key'), stage.pair.key.slice(0, -30));
  const { code, stderr } = await runToExit(pairOf(stage, { key: join(stage.dir, 'half.key') }));
  assert.equal(code, 2);
  assert.ok(!stderr.includes(secret));
});

test('a variable of the prefix that names no option is ignored, and flags win', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  await mkdir(join(stage.dir, 'etc'));
  await writeFile(
    join(stage.dir, 'etc', 'options.yaml'),
    'access-log: errors\nforwarder: http-proxy\ndrain-timeout: 9s\n',
  );
  const sidecar = await stage.start({
    upstream: app.port,
    args: ['--drain-timeout', '3s'],
    env: {
      TLS_SIDECAR_PORT: 'tcp://10.0.0.1:8080',
      TLS_SIDECAR_SERVICE_HOST: '10.0.0.1',
      TLS_SIDECAR_DRAIN_TIMEOUT: 'never read',
      TLS_SIDECAR_FORWARDER: 'wire',
      TLS_SIDECAR_CONFIG: join(stage.dir, 'etc', 'options.yaml'),
    },
  });
  assert.equal((await sidecar.waitForLog('serving')).forwarder, 'wire');
  await endsWell(sidecar);
});

for (const [flag, pattern] of [
  ['--version', /^\d+\.\d+\.\d+\S*\n$/],
  ['--help', /--upstream-timeout/],
] as const) {
  for (const command of [[], ['serve'], ['check']]) {
    test(`${[...command, flag].join(' ')} answers on stdout and exits with 0`, async () => {
      const { code, stdout, stderr } = await runToExit([...command, flag]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      assert.match(stdout, pattern);
    });
  }
}
