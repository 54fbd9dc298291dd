// Text to values: what each kind of option takes, and what it says of anything else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Malformed,
  optional,
  parseAddress,
  parseAddressOrOff,
  parseCollector,
  parseCount,
  parseDuration,
  parseFile,
  parseLimit,
  parseNamePattern,
  parsePercent,
  parseRateOrOff,
  parseSize,
  parseSizeOrUnlimited,
  parseSwitch,
  parseUpstream,
  parseWord,
} from '../../../src/config/parse.ts';

type Good = readonly (readonly [text: string, value: unknown])[];

function check(parse: (text: string) => unknown, good: Good, bad: readonly string[], says: RegExp): void {
  for (const [text, value] of good) {
    test(`takes ${JSON.stringify(text.slice(0, 40))}`, () => assert.deepEqual(parse(text), value));
  }
  for (const text of bad) {
    test(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parse(text),
        (error) => error instanceof Malformed && says.test(error.message),
      );
    });
  }
}

const DURATIONS: Good = [
  ['1ms', 1],
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5s', 1500],
  ['0.25s', 250],
  ['010s', 10_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['24h', 86_400_000],
  ['1440m', 86_400_000],
];
const NO_DURATIONS = [
  '',
  ' ',
  '10',
  '00',
  's',
  '10 s',
  ' 10s',
  '10s ',
  '10S',
  '10sec',
  '10d',
  '-1s',
  '+1s',
  '1e3ms',
  '.5s',
  '1.s',
  '1,5s',
  '1m30s',
  'Infinity',
  'Infinitys',
  'NaNs',
  '0x10s',
  '\u0661s',
  '10s\n',
  'never',
  'off',
];
/** Names that every object has: a table that is a plain object would take them for units. */
const INHERITED = ['constructor', 'valueOf', 'toString', '__proto__', 'hasOwnProperty'];

describe('a duration', () => {
  check(
    parseDuration,
    [...DURATIONS, ['0', 0], ['0s', 0], ['0ms', 0], ['0h', 0]],
    [...NO_DURATIONS, ...INHERITED.map((name) => `5${name}`)],
    /^a duration with its unit, as 250ms, 10s or 5m$/,
  );
  check(
    parseDuration,
    [],
    ['25h', '24.1h', '86400001ms', '1441m', `${'9'.repeat(400)}s`],
    /^a duration of at most 24h$/,
  );
});

describe('a limit', () => {
  check(parseLimit, DURATIONS, NO_DURATIONS, /^a duration with its unit/);
  check(parseLimit, [], ['0', '0s', '0ms', '0.0s', '0.1ms'], /^a duration above 0/);
});

describe('a size', () => {
  check(
    parseSize,
    [
      ['1', 1],
      ['16384', 16384],
      ['16B', 16],
      ['16k', 16_000],
      ['16kB', 16_000],
      ['16K', 16_000],
      ['16KB', 16_000],
      ['16Ki', 16384],
      ['16KiB', 16384],
      ['1M', 1_000_000],
      ['1MB', 1_000_000],
      ['1Mi', 1 << 20],
      ['1MiB', 1 << 20],
      ['2G', 2_000_000_000],
      ['2GB', 2_000_000_000],
      ['2Gi', 2 ** 31],
      ['2GiB', 2 ** 31],
    ],
    [
      '',
      ' ',
      'KiB',
      '16 KiB',
      ' 16KiB',
      '16KiB ',
      '16kib',
      '16KIB',
      '16kb',
      '16mb',
      '1T',
      '1.5MiB',
      '-1',
      '+1',
      '1e6',
      '0x10',
      '1_000',
      '1,000',
      'unlimited',
      '16KiB\n',
      ...INHERITED.map((name) => `5${name}`),
    ],
    /^a size, as 16KiB, 1MiB or plain bytes$/,
  );
  check(parseSize, [], ['9007199254740992', '99999999GiB', `${'9'.repeat(400)}`], /size/);
});

describe('a count', () => {
  const from1 = parseCount(1);
  check(
    from1,
    [
      ['1', 1],
      ['256', 256],
      ['0256', 256],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ],
    ['', ' ', '0', '-1', '+1', '1.0', '1e3', '0x10', ' 1', '1 ', 'many', '9007199254740992', '9'.repeat(400)],
    /^a whole number of at least 1$/,
  );
  test('may be 0 where that is allowed', () => assert.equal(parseCount(0)('0'), 0));
});

describe('an address', () => {
  const good: Good = [
    [':8080', { host: undefined, port: 8080 }],
    [':0', { host: undefined, port: 0 }],
    [':65535', { host: undefined, port: 65535 }],
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['0.0.0.0:8080', { host: '0.0.0.0', port: 8080 }],
    ['localhost:8080', { host: 'localhost', port: 8080 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['[::]:8080', { host: '::', port: 8080 }],
    ['[fe80::1%eth0]:8080', { host: 'fe80::1%eth0', port: 8080 }],
    ['[::ffff:127.0.0.1]:80', { host: '::ffff:127.0.0.1', port: 80 }],
  ];
  const bad = [
    '',
    ':',
    '8080',
    'localhost',
    'localhost:',
    ':-1',
    ':+1',
    ':65536',
    ':99999',
    ':123456',
    ':http',
    ':80 ',
    ' :80',
    'a b:80',
    '::1:8080',
    '::1',
    '[::1]',
    '[]:80',
    '[::1:80',
    '::1]:80',
    'http://localhost:80',
    'localhost:80/',
    ':80\n',
    'tcp://10.0.0.1:443',
  ];
  check(parseAddress, good, [...bad, 'off'], /^\[HOST\]:PORT, as :8080, 127\.0\.0\.1:8080 or \[::1\]:8080$/);
});

describe('an address or off', () => {
  check(
    parseAddressOrOff,
    [
      ['off', 'off'],
      [':9901', { host: undefined, port: 9901 }],
    ],
    ['', 'OFF', 'on', 'false', '9901'],
    /^\[HOST\]:PORT/,
  );
});

describe('an upstream', () => {
  check(
    parseUpstream,
    [
      ['http://localhost:80', { kind: 'tcp', host: 'localhost', port: 80 }],
      ['http://localhost', { kind: 'tcp', host: 'localhost', port: 80 }],
      ['http://localhost/', { kind: 'tcp', host: 'localhost', port: 80 }],
      ['http://127.0.0.1:3000/', { kind: 'tcp', host: '127.0.0.1', port: 3000 }],
      ['http://[::1]:3000', { kind: 'tcp', host: '::1', port: 3000 }],
      ['http://[::1]', { kind: 'tcp', host: '::1', port: 80 }],
      ['http://my-app_1.local:65535', { kind: 'tcp', host: 'my-app_1.local', port: 65535 }],
      ['h2c://localhost:50051', { kind: 'tcp', host: 'localhost', port: 50051, h2c: true }],
      ['h2c://[::1]/', { kind: 'tcp', host: '::1', port: 80, h2c: true }],
      ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
    ],
    [
      '',
      'localhost',
      'localhost:80',
      ':80',
      '80',
      'http://',
      'http:///',
      'http://:80',
      'http://localhost:',
      'http://localhost:0',
      'http://localhost:65536',
      'http://localhost:http',
      'http://localhost:80/path',
      'http://localhost?x',
      'http://localhost#x',
      'http://user@localhost',
      'http://user:secret@localhost:80',
      'http://local host',
      'http://::1:80',
      'http://[::1',
      'http://localhost:80\n',
      'https://localhost:443',
      'ftp://localhost',
      'tcp://localhost:80',
      'h2c:localhost:80',
      'h2c://localhost:80/path',
      'unix:',
      'unix:run/app.sock',
      '/run/app.sock',
    ],
    /^http:\/\/HOST:PORT, h2c:\/\/HOST:PORT or unix:\/PATH, without a path behind the port$/,
  );
});

describe('a word', () => {
  check(
    parseWord('all', 'errors', 'off'),
    [
      ['all', 'all'],
      ['off', 'off'],
    ],
    ['', 'ALL', ' all', 'al', 'all,off', 'constructor'],
    /^one of all, errors, off$/,
  );
  check(parseWord('reject'), [['reject', 'reject']], ['redirect', ''], /^reject$/);
});

describe('a switch', () => {
  const good: Good = [
    ['true', true],
    ['false', false],
  ];
  check(parseSwitch, good, ['', 'TRUE', 'yes', 'on', 'off', '1', '0'], /^one of true, false$/);
});

describe('a file', () => {
  check(
    parseFile,
    [
      ['certs/tls.crt', 'certs/tls.crt'],
      [' ', ' '],
    ],
    ['', 'a\0b'],
    /^a path to a file$/,
  );
});

describe('a name pattern', () => {
  for (const text of ['web', 'web-*', '*', '*.a.example', 'spiffe://td/ns/*/sa/x', 'Jürg', 'a b', 'a;b=c'])
    test(`takes ${text}`, () => assert.equal(parseNamePattern(text), text));
  for (const text of ['', '**', 'a**b', 'a"b', 'a,b', 'a\\b', 'a\nb', 'a\0b'])
    test(`refuses ${JSON.stringify(text)}, which no name could meet or nobody can have meant`, () =>
      assert.throws(() => parseNamePattern(text), Malformed));
});

describe('what may be left out', () => {
  test('is undefined when it is, and else read', () => {
    const read = optional(parseWord('a', 'b'));
    assert.deepEqual([read(''), read('a')], [undefined, 'a']);
    assert.throws(() => read('c'), Malformed);
  });
});

const PERCENTAGES: Good = [
  ['1', 1],
  ['50', 50],
  ['50%', 50],
  ['100', 100],
];
describe('a percentage', () =>
  check(
    parsePercent,
    PERCENTAGES,
    ['', '0', '101', '1000', '5.5', '-1', '%', '50 %', 'x'],
    /a percentage from 1 to 100/,
  ));

describe('where spans are posted to', () => {
  check(
    parseCollector,
    [
      ['http://collector:4318', 'http://collector:4318/v1/traces'],
      ['http://collector:4318/', 'http://collector:4318/v1/traces'],
      ['https://[2001:db8::1]/tenant/v1/traces', 'https://[2001:db8::1]/tenant/v1/traces'],
      ['http://127.0.0.1:80', 'http://127.0.0.1/v1/traces'],
    ],
    [
      ...[
        '',
        'off',
        'collector:4318',
        'grpc://collector:4317',
        'http://',
        'http://:4318',
        'http://a:b',
        'http://a:70000',
      ],
      ...['http://user:secret@a', 'http://a/?key=secret', 'http://a/#x', 'http://a b', 'http://a\\b', ' http://a'],
    ],
    /^http:\/\/HOST:PORT or https:\/\/HOST:PORT\/PATH; .*OTEL_EXPORTER_OTLP_HEADERS/,
  );
});

describe('a size that may be unlimited', () =>
  check(
    parseSizeOrUnlimited,
    [
      ['unlimited', Number.POSITIVE_INFINITY],
      ['0', Number.POSITIVE_INFINITY],
      ['1', 1],
      ['1MiB', 1_048_576],
    ],
    ['', 'off', 'none', '-1', '1 MiB', '1.5M', 'Infinity', 'x'],
    /unlimited, or a size|a size, as 16KiB/,
  ));

describe('a rate', () =>
  check(
    parseRateOrOff,
    [
      ['off', undefined],
      ['100/s', { requests: 100, periodMs: 1000, burst: 100 }],
      ['100/s:250', { requests: 100, periodMs: 1000, burst: 250 }],
      ['30/m', { requests: 30, periodMs: 60_000, burst: 30 }],
      ['5/h:1', { requests: 5, periodMs: 3_600_000, burst: 1 }],
      ['999999/s:999999', { requests: 999_999, periodMs: 1000, burst: 999_999 }],
    ],
    ['', '0/s', '0', '100', '100/', '100/d', '1.5/s', '-1/s', '5/s:0', '5/s:', '1000000/s', '100r/s', ' 1/s', '/s'],
    /off, or N\/s, N\/m or N\/h/,
  ));
