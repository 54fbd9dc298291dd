// One configuration from four places: which place wins, what is ignored, and that everything wrong is told at once.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Config, type Environment, type Flags, loadConfig } from '../../../src/config/config.ts';
import { describeGiven } from '../../../src/config/given.ts';
import { isList, OPTION_NAMES, OPTIONS, variableOf } from '../../../src/config/options.ts';
import { ConfigError } from '../../../src/errors.ts';

const dir = mkdtempSync(join(tmpdir(), 'config-'));
after(() => rmSync(dir, { recursive: true }));
let files = 0;

function configFile(content: string): string {
  const path = join(dir, `${++files}.yaml`);
  writeFileSync(path, content);
  return path;
}

function configOf(...given: Parameters<typeof loadConfig>): Config {
  return loadConfig(...given).config;
}

function problemsOf(flags: Flags, env: Environment = {}, file?: string, problems: string[] = []): readonly string[] {
  try {
    loadConfig(flags, env, file, problems);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

describe('without flags, environment and file', () => {
  test('every option has its default', () => {
    const config = configOf({}, {}, undefined);
    assert.deepEqual(config, {
      cert: ['certs/tls.crt'],
      key: ['certs/tls.key'],
      waitForCert: false,
      tlsMinVersion: '1.2',
      clientCa: undefined,
      clientCrl: undefined,
      clientAuth: undefined,
      allowCn: [],
      allowOu: [],
      allowDns: [],
      allowUri: [],
      listen: [{ host: undefined, port: 8080 }],
      upstream: [{ kind: 'tcp', host: 'localhost', port: 80 }],
      upstreamProtocol: 'auto',
      forwarder: 'wire',
      http2: true,
      plaintext: 'reject',
      trustForwarded: [],
      proxyProtocol: [],
      maxConnections: 'auto',
      maxConnectionAge: 0,
      maxClientShare: 50,
      maxHeaderSize: 16384,
      maxBodySize: Number.POSITIVE_INFINITY,
      rateLimit: undefined,
      handshakeTimeout: 10_000,
      headerTimeout: 10_000,
      clientTimeout: 60_000,
      minBodyRate: 240,
      idleTimeout: 75_000,
      upstreamConnectTimeout: 5000,
      upstreamMaxConnections: 256,
      upstreamTimeout: 60_000,
      upstreamIdleTimeout: 4000,
      drainDelay: 0,
      drainTimeout: 25_000,
      admin: { host: undefined, port: 9901 },
      probe: [],
      accessLog: 'all',
      traceOtlp: undefined,
      logLevel: 'info',
      logFormat: 'json',
    } satisfies Config);
  });

  test('the configuration cannot be changed', () => {
    assert.ok(Object.isFrozen(configOf({}, {}, undefined)));
  });
});

describe('the option table', () => {
  for (const name of OPTION_NAMES) {
    test(`gives --${name} a default that it takes itself, a name in kebab-case and one sentence of help`, () => {
      const option = OPTIONS[name];
      // The default of a list may be that there is none.
      if (!isList(name) || option.default !== '') assert.doesNotThrow(() => option.parse(option.default));
      assert.match(name, /^[a-z0-9]+(?:-[a-z0-9]+)*$/);
      assert.match(option.help, /^[A-Z].*\.$/);
      assert.match(variableOf(name), /^TLS_SIDECAR_[A-Z0-9_]+$/);
    });
  }

  test('gives every option a variable of its own', () => {
    assert.equal(new Set(OPTION_NAMES.map(variableOf)).size, OPTION_NAMES.length);
    assert.equal(variableOf('upstream-timeout'), 'TLS_SIDECAR_UPSTREAM_TIMEOUT');
  });
});

describe('precedence', () => {
  const flags = { 'idle-timeout': '1s' };
  const env = { TLS_SIDECAR_IDLE_TIMEOUT: '2s' };
  const file = configFile('idle-timeout: 3s\n');
  const rows: readonly (readonly [
    what: string,
    flags: Flags,
    env: Environment,
    file: string | undefined,
    ms: number,
  ])[] = [
    ['a flag wins over everything', flags, env, file, 1000],
    ['a flag wins over the environment', flags, env, undefined, 1000],
    ['a flag wins over the file', flags, {}, file, 1000],
    ['a flag wins over the default', flags, {}, undefined, 1000],
    ['the environment wins over the file', {}, env, file, 2000],
    ['the environment wins over the default', {}, env, undefined, 2000],
    ['the file wins over the default', {}, {}, file, 3000],
    ['an undefined variable leaves the default', {}, { TLS_SIDECAR_IDLE_TIMEOUT: undefined }, undefined, 75_000],
    ['a variable without the prefix is nobody', {}, { IDLE_TIMEOUT: '9s' }, undefined, 75_000],
    ['a variable in lower case is nobody', {}, { tls_sidecar_idle_timeout: '9s' }, undefined, 75_000],
  ];
  for (const [what, ...row] of rows) {
    const [given, variables, path, ms] = row;
    test(what, () => assert.equal(configOf(given, variables, path).idleTimeout, ms));
  }

  test('holds for every option on its own', () => {
    const mixed = configOf({ listen: ':1' }, { TLS_SIDECAR_ADMIN: ':2', TLS_SIDECAR_LISTEN: ':9' }, file);
    assert.deepEqual([mixed.listen[0]?.port, mixed.admin, mixed.idleTimeout], [1, { host: undefined, port: 2 }, 3000]);
  });

  test('a value that another wins over is not read at all', () => {
    assert.deepEqual(problemsOf({ listen: ':1' }, { TLS_SIDECAR_LISTEN: 'nonsense' }), []);
    assert.deepEqual(problemsOf({}, { TLS_SIDECAR_LISTEN: ':1' }, configFile('listen: nonsense\n')), []);
  });
});

const ofServices = {
  TLS_SIDECAR_PORT: 'tcp://10.0.0.1:443',
  TLS_SIDECAR_PORT_443_TCP: 'tcp://10.0.0.1:443',
  TLS_SIDECAR_PORT_443_TCP_PROTO: 'tcp',
  TLS_SIDECAR_PORT_443_TCP_PORT: '443',
  TLS_SIDECAR_PORT_443_TCP_ADDR: '10.0.0.1',
  TLS_SIDECAR_SERVICE_HOST: '10.0.0.1',
  TLS_SIDECAR_SERVICE_PORT: '443',
  TLS_SIDECAR_SERVICE_PORT_HTTPS: '443',
  TLS_SIDECAR_ADMIN_SERVICE_HOST: '10.0.0.2',
  TLS_SIDECAR_UPSTREAM_PORT: 'tcp://10.0.0.3:80',
};

describe('variables with the prefix that name no option', () => {
  test('are ignored, as those of a Service called tls-sidecar', () => {
    const env = {
      ...ofServices,
      TLS_SIDECAR_: 'x',
      TLS_SIDECAR_NO_SUCH_OPTION: 'x',
    };
    assert.deepEqual(configOf({}, env, undefined), configOf({}, {}, undefined));
  });
});

describe('what is probably not meant', () => {
  const warningsOf = (env: Environment, flags: Flags = {}) => loadConfig(flags, env, undefined).warnings;

  for (const [name, meant] of [
    ['TLS_SIDECAR_UPSTRAEM', 'TLS_SIDECAR_UPSTREAM'],
    ['TLS_SIDECAR_LISTN', 'TLS_SIDECAR_LISTEN'],
    ['TLS_SIDECAR_CERTS', 'TLS_SIDECAR_CERT'],
    ['TLS_SIDECAR_UPSTREAM_TIME_OUT', 'TLS_SIDECAR_UPSTREAM_TIMEOUT'],
    ['TLS_SIDECAR_CONFG', 'TLS_SIDECAR_CONFIG'],
    ['TLS_SIDECAR_HTTP', 'TLS_SIDECAR_HTTP2'],
    ['TLS_SIDECAR_PORT', 'TLS_SIDECAR_LISTEN'],
  ] as const) {
    test(`is told: ${name}, which is a letter or two from ${meant}`, () => {
      const told = [`${name} names no option, and is ignored; did you mean ${meant}?`];
      assert.deepEqual(warningsOf({ [name]: 'x' }), told);
    });
  }

  for (const [name, value] of Object.entries(ofServices)) {
    test(`is not ${name}=${value}, which Kubernetes sets for a Service`, () => {
      assert.deepEqual(warningsOf({ [name]: value }), []);
    });
  }

  test('is not what is near to nothing, has another prefix, or is an option', () => {
    const env = { TLS_SIDECAR_NO_SUCH_OPTION: 'x', TLS_SIDECAR_: 'x', UPSTRAEM: 'x', TLS_SIDECAR_UPSTREAM: 'unix:/a' };
    assert.deepEqual(warningsOf(env), []);
  });

  for (const [upstream, told] of [
    ['http://localhost:1', false],
    ['http://app.localhost:1', false],
    ['http://127.0.0.2:1', false],
    ['http://[::1]:1', false],
    ['http://[::ffff:127.0.0.1]:1', false],
    ['http://0.0.0.0:1', false],
    ['unix:/run/app.sock', false],
    ['http://10.0.0.1:1', true],
    ['h2c://app.example:1', true],
    ['http://[2001:db8::1]:1', true],
  ] as const) {
    test(`${told ? 'is' : 'is not'} the upstream ${upstream}`, () => {
      const [warning] = warningsOf({}, { upstream });
      assert.equal(warning?.includes('leave the Pod in plain text') ?? false, told, warning);
    });
  }
});

describe('where each value came from', () => {
  test('is told of every option, with what was written there', () => {
    const file = configFile('idle-timeout: 1m\nallow-cn: [a, b]\nclient-ca: ca.pem\n');
    const env = { TLS_SIDECAR_LISTEN: ':8443', TLS_SIDECAR_IDLE_TIMEOUT: '2s' };
    const { config, given } = loadConfig({ admin: 'off' }, env, file);
    const told = describeGiven(config, given);
    assert.deepEqual(Object.keys(told), OPTION_NAMES);
    assert.deepEqual(told.admin, { value: 'off', from: 'flag' });
    assert.deepEqual(told.listen, { value: [':8443'], from: 'environment' });
    assert.deepEqual(told['idle-timeout'], { value: '2s', from: 'environment' });
    assert.deepEqual(told['allow-cn'], { value: ['a', 'b'], from: 'file' });
    assert.deepEqual(told['allow-dns'], { value: [], from: 'default' });
    assert.deepEqual(told['client-auth'], { value: 'require', from: 'default' });
    assert.deepEqual(told['log-level'], { value: 'info', from: 'default' });
  });

  test('of what has no value is null', () => {
    const { config, given } = loadConfig({}, {}, undefined);
    assert.deepEqual(describeGiven(config, given)['client-ca'], { value: null, from: 'default' });
  });

  test('of keys that stand back is the default, without any', () => {
    const { config, given } = loadConfig({ cert: ['a', 'b'] }, { TLS_SIDECAR_KEY: 'k' }, undefined);
    assert.deepEqual(describeGiven(config, given).key, { value: [], from: 'default' });
  });
});

describe('what is wrong', () => {
  test('is told with the option, what it takes, where it came from and what stood there', () => {
    const file = configFile('log-level: loud\n');
    assert.deepEqual(problemsOf({ 'idle-timeout': '10' }, { TLS_SIDECAR_LISTEN: '8080' }, file), [
      '--listen takes [HOST]:PORT, as :8080, 127.0.0.1:8080 or [::1]:8080; TLS_SIDECAR_LISTEN says "8080"',
      '--idle-timeout takes a duration with its unit, as 250ms, 10s or 5m; the flag says "10"',
      `--log-level takes one of trace, debug, info, warn, error, fatal, silent; ${file} says "loud"`,
    ]);
  });

  test('is told all at once: the arguments, the file, and the values of all places', () => {
    const file = configFile('no-such: 1\nforwarder: [a]\naccess-log: none\n');
    const told = problemsOf({ listen: 'x' }, { TLS_SIDECAR_ADMIN: 'y' }, file, ['unknown option --z']);
    assert.deepEqual(
      told.map((problem) => /--z|no-such|"forwarder"|--listen|--admin|--access-log/.exec(problem)?.[0]),
      ['--z', 'no-such', '"forwarder"', '--listen', '--admin', '--access-log'],
    );
  });

  test('is an error even where only the arguments were wrong', () => {
    assert.deepEqual(problemsOf({}, {}, undefined, ['unexpected argument "x"']), ['unexpected argument "x"']);
  });

  test('is one problem where the file cannot be read, and the rest goes on', () => {
    const missing = join(dir, 'missing.yaml');
    assert.deepEqual(problemsOf({}, {}, missing), [`--config: cannot read ${missing} (ENOENT)`]);
    assert.equal(problemsOf({ listen: 'x' }, {}, missing).length, 2);
  });

  const empty: readonly (readonly [what: string, flags: Flags, env: Environment, content: string | undefined])[] = [
    ['a variable', {}, { TLS_SIDECAR_CLIENT_CA: '' }, undefined],
    ['a variable that would win over the file', {}, { TLS_SIDECAR_CLIENT_CA: '' }, 'client-ca: ca.pem\n'],
    ['a key of the file', {}, {}, 'client-ca: ""\n'],
    ['a flag', { 'client-ca': '' }, {}, undefined],
    ['the variable of a list', {}, { TLS_SIDECAR_TRUST_FORWARDED: '' }, undefined],
    ['the variable of a list, of commas alone', {}, { TLS_SIDECAR_ALLOW_CN: ', ' }, undefined],
    ['a list of the file', {}, {}, 'allow-cn: []\n'],
    ['a list of the file with an empty text', {}, {}, 'allow-cn: [""]\n'],
    ['the variable of a number', {}, { TLS_SIDECAR_IDLE_TIMEOUT: '' }, undefined],
  ];
  for (const [what, flags, env, content] of empty) {
    test(`is an empty value, which never means "off": ${what}`, () => {
      const problems = problemsOf(flags, env, content === undefined ? undefined : configFile(content));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', /^--[a-z-]+ has an empty value in .*; give it one, or leave the option out$/);
    });
  }

  test('is an empty name of the file', () => {
    assert.deepEqual(problemsOf({}, {}, ''), [
      '--config has an empty value in TLS_SIDECAR_CONFIG; give it one, or leave the option out',
    ]);
  });

  test('leaves the list of argument problems as it was given', () => {
    const given = ['one'];
    problemsOf({ listen: 'x' }, {}, undefined, given);
    assert.deepEqual(given, ['one']);
  });
});

describe('values that contradict each other', () => {
  const rows: readonly (readonly [what: string, flags: Flags, told: RegExp | undefined])[] = [
    ['the upstream is the own port on all addresses, by name', { listen: ':80' }, /--upstream and --listen/],
    ['… by IPv4 loopback', { listen: ':8080', upstream: 'http://127.0.0.1:8080' }, /--upstream and --listen/],
    ['… by IPv6 loopback', { listen: ':8080', upstream: 'http://[::1]:8080' }, /--upstream and --listen/],
    ['… by the unspecified address', { listen: ':8080', upstream: 'http://0.0.0.0:8080' }, /--upstream and --listen/],
    ['… by the same address', { listen: '10.0.0.1:8080', upstream: 'http://10.0.0.1:8080' }, /--upstream and --listen/],
    ['… 127.0.0.1 called localhost', { listen: '127.0.0.1:8080', upstream: 'http://localhost:8080' }, /--upstream and/],
    ['… 0.0.0.0 called localhost', { listen: '0.0.0.0:8080', upstream: 'http://localhost:8080' }, /--upstream and/],
    ['… 0.0.0.0 called 127.0.0.1', { listen: '0.0.0.0:8080', upstream: 'http://127.0.0.1:8080' }, /--upstream and/],
    ['… [::] called [::1]', { listen: '[::]:8080', upstream: 'http://[::1]:8080' }, /--upstream and/],
    ['… [::] called 127.0.0.1', { listen: '[::]:8080', upstream: 'http://127.0.0.1:8080' }, /--upstream and/],
    [
      'another address on the same port is fine',
      { listen: '10.0.0.1:8080', upstream: 'http://127.0.0.1:8080' },
      undefined,
    ],
    ['another machine on the same port is fine', { listen: ':8080', upstream: 'http://10.9.9.9:8080' }, undefined],
    ['another port is fine', { listen: ':8080', upstream: 'http://localhost:8081' }, undefined],
    [
      'several ports, each with its app',
      { listen: [':1', ':2'], upstream: ['unix:/a', 'http://localhost:3'] },
      undefined,
    ],
    ['several ports before one app', { listen: [':1', ':2'], upstream: 'http://localhost:3' }, undefined],
    ['as many ports that the system chooses', { listen: [':0', ':0'] }, undefined],
    [
      'fewer apps than ports',
      { listen: [':1', ':2', ':3'], upstream: ['unix:/a', 'unix:/b'] },
      /^--listen is given 3 times and --upstream 2 times; give as many/,
    ],
    ['more apps than ports', { upstream: ['unix:/a', 'unix:/b'] }, /--listen is given 1 times and --upstream 2 times/],
    ['a port twice', { listen: [':8443', '127.0.0.1:8443'] }, /^--listen names port 8443 twice/],
    ['a port of two addresses is fine', { listen: ['127.0.0.1:8443', '127.0.0.2:8443'] }, undefined],
    [
      'the second upstream is the first port',
      { listen: [':8443', ':8444'], upstream: ['unix:/a', 'http://localhost:8443'] },
      /--upstream and --listen are the same port 8443/,
    ],
    ['admin on the second port', { listen: [':8443', ':8444'], admin: ':8444' }, /--admin and --listen.* 8444/],
    [
      'the second upstream is the admin port',
      { listen: [':8443', ':8444'], upstream: ['unix:/a', 'http://localhost:9901'] },
      /--upstream and --admin are the same port 9901/,
    ],
    ['a unix socket is fine', { listen: ':80', upstream: 'unix:/run/app.sock' }, undefined],
    ['admin on the same port', { listen: ':8443', admin: ':8443' }, /--admin and --listen/],
    ['admin on the same port and address', { listen: '10.0.0.1:1', admin: '10.0.0.1:1' }, /--admin and --listen/],
    ['admin on the same port of one address', { listen: ':8443', admin: '127.0.0.1:8443' }, /--admin and --listen/],
    ['… and the other way round', { listen: '127.0.0.1:8443', admin: ':8443' }, /--admin and --listen/],
    ['admin on the same port of another address is fine', { listen: '10.0.0.1:1', admin: '127.0.0.1:1' }, undefined],
    ['the upstream is the admin port', { upstream: 'http://localhost:9901' }, /--upstream and --admin.*--admin :9902$/],
    [
      'the upstream is the admin port of one address',
      { admin: '127.0.0.1:1', upstream: 'http://localhost:1' },
      /--upstream and --admin/,
    ],
    ['the upstream is the port of no admin', { admin: 'off', upstream: 'http://localhost:9901' }, undefined],
    ['spans are posted to the sidecar', { 'trace-otlp': 'http://[::1]:8080' }, /--trace-otlp and --listen.* 8080/],
    ['spans are posted to an app beside it', { 'trace-otlp': 'http://collector:8080' }, undefined],
    ['the app has the default port', { upstream: 'http://localhost:8080' }, /the same port 8080.*--listen :8443$/],
    ['both on ports that the system chooses is fine', { listen: ':0', admin: ':0' }, undefined],
    ['admin off is fine', { listen: ':9901', admin: 'off' }, undefined],
    ['a drain delay above the time-out', { 'drain-delay': '26s' }, /--drain-delay is longer than --drain-timeout/],
    ['--client-auth require without a CA', { 'client-auth': 'require' }, /--client-auth require needs --client-ca/],
    ['--client-auth request without a CA', { 'client-auth': 'request' }, /--client-auth request needs --client-ca/],
    ['--client-auth off without a CA is fine', { 'client-auth': 'off' }, undefined],
    [
      '--client-auth off with a CA',
      { 'client-ca': 'ca.pem', 'client-auth': 'off' },
      /^--client-ca is given, and --client-auth off asks no client for a certificate; leave one of them out$/,
    ],
    ['a CA alone is fine', { 'client-ca': 'ca.pem' }, undefined],
    ['an allow rule without a CA', { 'allow-dns': ['a.example'] }, /need client certificates/],
    [
      'an allow rule where nobody is asked',
      { 'client-ca': 'ca.pem', 'client-auth': 'off', 'allow-cn': ['a'] },
      /need client certificates/,
    ],
    ['an allow rule with a CA is fine', { 'client-ca': 'ca.pem', 'allow-uri': ['spiffe://td/*'] }, undefined],
    ['a drain delay as long as the time-out is fine', { 'drain-delay': '25s' }, undefined],
  ];
  for (const [what, flags, told] of rows) {
    test(what, () => {
      const problems = problemsOf(flags);
      if (told === undefined) return assert.deepEqual(problems, []);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', told);
    });
  }

  test('are all told at once, too', () => {
    const told = problemsOf({ listen: ':80', admin: ':80', 'drain-delay': '1m' });
    assert.deepEqual(told.length, 3, told.join('\n'));
  });
});

describe('what is spoken to the app', () => {
  for (const flags of [
    { upstream: 'h2c://localhost:80', 'upstream-protocol': 'http1' },
    { upstream: 'h2c://localhost:80', forwarder: 'http-proxy' },
    { 'upstream-protocol': 'h2c', forwarder: 'http-proxy' },
  ]) {
    test(`${Object.values(flags).join(' and ')} contradict each other`, () => {
      assert.throws(() => loadConfig(flags, {}, undefined), /contradict each other|speaks HTTP\/1\.1 only/);
    });
  }

  test('h2c:// at one of several ports counts as h2c', () => {
    const flags = { listen: [':1', ':2'], upstream: ['unix:/a', 'h2c://localhost:80'], forwarder: 'http-proxy' };
    assert.throws(() => loadConfig(flags, {}, undefined), /speaks HTTP\/1\.1 only/);
  });

  test('h2c with a unix socket', () => {
    const { upstream, upstreamProtocol } = configOf({ upstream: 'unix:/a', 'upstream-protocol': 'h2c' }, {}, undefined);
    assert.deepEqual([upstream, upstreamProtocol], [[{ kind: 'unix', path: '/a' }], 'h2c']);
  });
});

describe('certificates and keys', () => {
  const pairsOf = (flags: Flags, env: Environment = {}, file?: string) => {
    const { cert, key } = configOf(flags, env, file);
    return [cert, key];
  };
  const image = { TLS_SIDECAR_CERT: '/etc/c', TLS_SIDECAR_KEY: '/etc/k' };

  test('are as many, in the same order, wherever they come from', () => {
    assert.deepEqual(pairsOf({ cert: ['a', 'b'], key: ['c', 'd'] }), [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    assert.deepEqual(pairsOf({}, { TLS_SIDECAR_CERT: 'a, b', TLS_SIDECAR_KEY: 'c,d' }), [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    assert.deepEqual(pairsOf({}, {}, configFile('cert: [a, b]\nkey: [c, d]\n')), [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    assert.deepEqual(pairsOf({ key: 'k' }, image), [['/etc/c'], ['k']]);
  });

  test('a key from a less specific place stands beside one certificate, in case that holds none', () => {
    assert.deepEqual(pairsOf({ cert: 'a' }), [['a'], ['certs/tls.key']]);
    assert.deepEqual(pairsOf({ cert: 'a' }, image), [['a'], ['/etc/k']]);
  });

  test('a key from a less specific place does not stand against several certificates', () => {
    assert.deepEqual(pairsOf({ cert: ['a', 'b'] }), [['a', 'b'], []]);
    assert.deepEqual(pairsOf({ cert: ['a', 'b'] }, image), [['a', 'b'], []]);
    assert.deepEqual(pairsOf({}, { TLS_SIDECAR_CERT: 'a,b' }, configFile('key: c\n')), [['a', 'b'], []]);
  });

  const rows: readonly (readonly [what: string, flags: Flags, env: Environment, told: RegExp])[] = [
    ['fewer keys', { cert: ['a', 'b'], key: 'c' }, {}, /^--cert is given 2 times and --key 1 times; give as many/],
    ['more keys', { cert: 'a', key: ['c', 'd'] }, {}, /^--cert is given 1 times and --key 2 times/],
    ['keys for no certificate', { key: ['c', 'd'] }, {}, /^--cert is given 1 times and --key 2 times/],
    ['as many, but from one place less', {}, { ...image, TLS_SIDECAR_CERT: 'a,b' }, /2 times and --key 1 times/],
    ['a certificate twice', { cert: ['a', 'a'], key: ['c', 'd'] }, {}, /^--cert names a twice; once is enough$/],
    ['no certificate', {}, { TLS_SIDECAR_CERT: ',' }, /^--cert names no file; give at least one$/],
  ];
  for (const [what, flags, env, told] of rows) {
    test(`are a problem: ${what}`, () => {
      const [problem = ''] = problemsOf(flags, env);
      assert.match(problem, told);
    });
  }
});
