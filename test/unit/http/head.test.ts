// The syntax of heads, byte by byte: each of the 256 bytes at every kind of place, and every place to split a head at.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  findHeadEnd,
  hasBareLineFeed,
  isFieldValue,
  isToken,
  readContentLength,
  readFields,
  readRequestLine,
  readStatusLine,
  writeFields,
} from '../../../src/http/head.ts';

const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const TOKEN_BYTES = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const isTokenByte = (byte: string): boolean => TOKEN_BYTES.includes(byte);
/** RFC 9110 section 5.5: field-vchar, SP, HTAB, obs-text. */
const isValueByte = (byte: string): boolean => byte === '\t' || (byte >= ' ' && byte !== '\x7f');
const isTargetByte = (byte: string): boolean => byte > ' ' && byte < '\x7f';
const shown = (byte: string): string => `0x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;

function fieldsOf(text: string, maxFields = 256): { reason: string | undefined; fields: string[] } {
  const fields: string[] = [];
  return { reason: readFields(text, 0, maxFields, fields), fields };
}

describe('tokens and values', () => {
  test('a token is made of the 77 token characters and is not empty', () => {
    for (const byte of BYTES) {
      assert.equal(isToken(byte), isTokenByte(byte), shown(byte));
      assert.equal(isToken(`a${byte}b`), isTokenByte(byte), shown(byte));
    }
    assert.equal(isToken(''), false);
    assert.equal(isToken('\u0100'), false);
  });

  test('a value holds no control character but the tab, and may be empty', () => {
    for (const byte of BYTES) assert.equal(isFieldValue(`a${byte}b`), isValueByte(byte), shown(byte));
    assert.equal(isFieldValue(''), true);
    assert.equal(isFieldValue('\u0100'), false);
  });
});

describe('the fields of a head', () => {
  test('take every byte in a name that is a token character, and no other', () => {
    for (const byte of BYTES) {
      for (const name of [`a${byte}b`, `${byte}b`, `a${byte}`]) {
        const { reason, fields } = fieldsOf(`${name}: v\r\n`);
        if (isTokenByte(byte)) assert.deepEqual([reason, fields], [undefined, [name, 'v']], shown(byte));
        else if (byte === ':' && name !== ':b') assert.equal(fields[0], 'a', 'a colon ends the name');
        else assert.equal(reason, 'syntax', `${shown(byte)} in ${JSON.stringify(name)}`);
      }
    }
  });

  test('take every byte in a value but control characters, and keep it', () => {
    for (const byte of BYTES) {
      const { reason, fields } = fieldsOf(`n: a${byte}b\r\nm: c\r\n`);
      if (isValueByte(byte)) assert.deepEqual([reason, fields], [undefined, ['n', `a${byte}b`, 'm', 'c']], shown(byte));
      else assert.equal(reason, 'syntax', shown(byte));
    }
  });

  test('lose the white space around a value, and nothing within or beyond it', () => {
    const rows: readonly (readonly [line: string, value: string])[] = [
      ['n:v', 'v'],
      ['n: v', 'v'],
      ['n:\t v \t ', 'v'],
      ['n:', ''],
      ['n: ', ''],
      ['n:  \t\t', ''],
      ['n: a  b\tc', 'a  b\tc'],
      ['n: a:b', 'a:b'],
      ['n::', ':'],
      ['n: \xa0v\xa0', '\xa0v\xa0'],
      ['n: "q, \\" q"', '"q, \\" q"'],
    ];
    for (const [line, value] of rows)
      assert.deepEqual(fieldsOf(`${line}\r\n`), { reason: undefined, fields: ['n', value] });
  });

  const broken = [
    ' n: v\r\n',
    '\tn: v\r\n',
    'n : v\r\n',
    'n\t: v\r\n',
    ': v\r\n',
    'n\r\n',
    'n v\r\n',
    'n: v\n',
    'n: v\r',
    'n: v',
    'n: v\r\r\n',
    'n: v\n\r\n',
    'n: v\r\n w\r\n',
    'n: v\r\n\tw\r\n',
    'n: v\r\nw\r\n',
    '\r\n',
    'n: v\r\n\r\n',
    'n:\0\r\n',
    'n: a\rb\r\n',
    'n\u0100: v\r\n',
  ];
  for (const text of broken) {
    test(`are refused for ${JSON.stringify(text)}`, () => assert.equal(fieldsOf(text).reason, 'syntax'));
  }

  test('are counted: one more than allowed is refused, and never cut off (CVE-2026-58044)', () => {
    const text = 'n: v\r\n'.repeat(256);
    assert.deepEqual([fieldsOf(text).reason, fieldsOf(text).fields.length], [undefined, 512]);
    assert.equal(fieldsOf(`${text}m: w\r\n`).reason, 'too_many_fields');
    assert.equal(fieldsOf('n: v\r\n', 0).reason, 'too_many_fields');
  });

  test('begin where the caller says, and are appended to what is there', () => {
    const fields = ['a', 'b'];
    assert.equal(readFields('GET\r\nn: v\r\n', 5, 2, fields), undefined);
    assert.deepEqual(fields, ['a', 'b', 'n', 'v']);
    assert.equal(readFields('', 0, 2, fields), undefined);
  });

  test('are written as they were read', () => {
    const fields = ['Host', 'a', 'X-b', '', 'x-B', '\xe9\xff \t!', '__proto__', 'v'];
    assert.equal(writeFields(fields), 'Host: a\r\nX-b: \r\nx-B: \xe9\xff \t!\r\n__proto__: v\r\n');
    assert.deepEqual(fieldsOf(writeFields(fields)).fields, fields);
    assert.equal(writeFields([]), '');
  });
});

describe('a request line', () => {
  test('is read into method, target, version, and where the fields begin', () => {
    const text = 'GET /a?b=%zz;c HTTP/1.1\r\nHost: a\r\n';
    assert.deepEqual(readRequestLine(text), { method: 'GET', target: '/a?b=%zz;c', version: '1.1', end: 25 });
  });

  test('takes every token character in a method, and every visible one in a target', () => {
    for (const byte of BYTES) {
      const byMethod = readRequestLine(`G${byte}T / HTTP/1.1\r\n`);
      // A space ends the method, and then the version is missing.
      assert.equal(byMethod?.method, isTokenByte(byte) ? `G${byte}T` : undefined, `method ${shown(byte)}`);
      const byTarget = readRequestLine(`GET /a${byte}b HTTP/1.1\r\n`);
      assert.equal(byTarget?.target, isTargetByte(byte) ? `/a${byte}b` : undefined, `target ${shown(byte)}`);
      const alone = readRequestLine(`GET ${byte} HTTP/1.1\r\n`);
      assert.equal(alone?.target, isTargetByte(byte) ? byte : undefined, `target ${shown(byte)}`);
    }
  });

  test('has a version of two digits with a dot, and nothing else at any of its three places', () => {
    for (const byte of BYTES) {
      const digit = byte >= '0' && byte <= '9';
      assert.equal(readRequestLine(`GET / HTTP/${byte}.1\r\n`)?.version, digit ? `${byte}.1` : undefined);
      assert.equal(readRequestLine(`GET / HTTP/1.${byte}\r\n`)?.version, digit ? `1.${byte}` : undefined);
      assert.equal(readRequestLine(`GET / HTTP/1${byte}1\r\n`)?.version, byte === '.' ? '1.1' : undefined);
    }
  });

  const broken = [
    '',
    '\r\n',
    'GET\r\n',
    'GET /\r\n',
    'GET / \r\n',
    ' GET / HTTP/1.1\r\n',
    'GET  / HTTP/1.1\r\n',
    'GET /  HTTP/1.1\r\n',
    'GET\t/ HTTP/1.1\r\n',
    'GET /\tHTTP/1.1\r\n',
    'GET /a b HTTP/1.1\r\n',
    'GET / HTTP/1.1 \r\n',
    'GET / HTTP/1.1\n',
    'GET / HTTP/1.1\r',
    'GET / HTTP/1.1\rX',
    'GET / HTTP/1.1',
    'GET / HTTP/11\r\n',
    'GET / HTTP/1.10\r\n',
    'GET / HTTP/1\r\n',
    'GET / http/1.1\r\n',
    'GET / HTTPS/1.1\r\n',
    'GET / RTSP/1.0\r\n',
    'GET HTTP/1.1\r\n',
    ' / HTTP/1.1\r\n',
    'G\u0100T / HTTP/1.1\r\n',
    'GET /\u0100 HTTP/1.1\r\n',
  ];
  for (const text of broken) {
    test(`is refused for ${JSON.stringify(text)}`, () => assert.equal(readRequestLine(text), undefined));
  }

  test('is refused wherever it is cut off', () => {
    const line = 'GET /a HTTP/1.1\r\n';
    for (let end = 0; end < line.length; end++) assert.equal(readRequestLine(line.slice(0, end)), undefined, `${end}`);
  });
});

describe('a status line', () => {
  const good: readonly (readonly [line: string, status: number, reason: string, version: string])[] = [
    ['HTTP/1.1 200 OK', 200, 'OK', '1.1'],
    ['HTTP/1.0 404 Not Found', 404, 'Not Found', '1.0'],
    ['HTTP/1.1 200 ', 200, '', '1.1'],
    ['HTTP/1.1 200', 200, '', '1.1'],
    ['HTTP/1.1 000 x', 0, 'x', '1.1'],
    ['HTTP/2.0 999 x', 999, 'x', '2.0'],
    ['HTTP/1.1 200  two spaces ', 200, ' two spaces ', '1.1'],
    ['HTTP/1.1 200 Gr\xfc\xdfe\t!', 200, 'Gr\xfc\xdfe\t!', '1.1'],
  ];
  for (const [line, status, reason, version] of good) {
    test(`${JSON.stringify(line)} is ${status}`, () => {
      assert.deepEqual(readStatusLine(`${line}\r\nA: b\r\n`), { status, reason, version, end: line.length + 2 });
    });
  }

  const broken = [
    '',
    '\r\n',
    'HTTP/1.1\r\n',
    'HTTP/1.1 \r\n',
    'HTTP/1.1 20\r\n',
    'HTTP/1.1 2000 OK\r\n',
    'HTTP/1.1 20x OK\r\n',
    'HTTP/1.1 +20 OK\r\n',
    'HTTP/1.1 -20 OK\r\n',
    'HTTP/1.1  200 OK\r\n',
    'HTTP/1.1\t200 OK\r\n',
    'HTTP/1.1 200\tOK\r\n',
    'HTTP/1.1 200OK\r\n',
    ' HTTP/1.1 200 OK\r\n',
    'http/1.1 200 OK\r\n',
    'HTTP/11 200 OK\r\n',
    'HTTP/1.x 200 OK\r\n',
    'HTTP/1,1 200 OK\r\n',
    'ICY 200 OK\r\n',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 O\nK\r\n',
    'HTTP/1.1 200 O\rK\r\n',
    'HTTP/1.1 200 O\0K\r\n',
  ];
  for (const text of broken) {
    test(`is refused for ${JSON.stringify(text)}`, () => assert.equal(readStatusLine(text), undefined));
  }

  test('takes every byte of a field value in its reason, and digits only in its status', () => {
    for (const byte of BYTES) {
      const reason = readStatusLine(`HTTP/1.1 200 a${byte}b\r\n`)?.reason;
      assert.equal(reason, isValueByte(byte) ? `a${byte}b` : undefined, shown(byte));
      for (let at = 0; at < 3; at++) {
        const status = `${'222'.slice(0, at)}${byte}${'222'.slice(at + 1)}`;
        const digit = byte >= '0' && byte <= '9';
        assert.equal(
          readStatusLine(`HTTP/1.1 ${status} OK\r\n`)?.status,
          digit ? Number(status) : undefined,
          shown(byte),
        );
      }
    }
  });
});

describe('the end of a head', () => {
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n';

  test('is found with whatever follows, and not before its last byte is there', () => {
    const bytes = Buffer.from(head, 'latin1');
    assert.equal(findHeadEnd(Buffer.from(`${head}body\r\n\r\n`, 'latin1'), 0), head.length - 4);
    for (let end = 0; end < bytes.length; end++) assert.equal(findHeadEnd(bytes.subarray(0, end), 0), -1, `${end}`);
    assert.equal(findHeadEnd(bytes, 0), head.length - 4);
  });

  test('is looked for from where the caller says', () => {
    const bytes = Buffer.from(`\r\n\r\n${head}`, 'latin1');
    assert.equal(findHeadEnd(bytes, 0), 0);
    assert.equal(findHeadEnd(bytes, 4), head.length);
  });

  for (const text of ['a\n\n', 'a\r\n\n', 'a\n\r\n', 'a\r\r\n', 'a\r\n\r', 'a\r\n\rX\n', 'a\n\r\n\r']) {
    test(`is not ${JSON.stringify(text)}`, () => assert.equal(findHeadEnd(Buffer.from(text, 'latin1'), 0), -1));
  }
});

describe('a bare line feed', () => {
  const rows: readonly (readonly [text: string, bare: boolean])[] = [
    ['', false],
    ['GET / HTTP/1.1', false],
    ['GET / HTTP/1.1\r', false],
    ['GET / HTTP/1.1\r\n', false],
    ['\r\n\r\n', false],
    ['\n', true],
    ['GET / HTTP/1.1\n', true],
    ['A: b\r\n\n', true],
    ['A: b\n\r\n', true],
    ['A: b\r\nC: d\n', true],
    ['\r\r\n', false],
  ];
  for (const [text, bare] of rows) {
    test(`${bare ? 'stands' : 'does not stand'} in ${JSON.stringify(text)}`, () => {
      assert.equal(hasBareLineFeed(Buffer.from(text, 'latin1')), bare);
    });
  }

  test('is found at every place of a head', () => {
    const head = 'GET / HTTP/1.1\r\nHost: a\r\n';
    for (let at = 0; at <= head.length; at++) {
      const text = `${head.slice(0, at)}\n${head.slice(at)}`;
      // Behind a CR the added LF is a line end, and the LF after it is the bare one.
      const expected = !(at > 0 && head[at - 1] === '\r' && head[at] !== '\n');
      assert.equal(hasBareLineFeed(Buffer.from(text, 'latin1')), expected, `${at}`);
    }
  });
});

describe('a Content-Length', () => {
  const good: readonly (readonly [value: string, length: number])[] = [
    ['0', 0],
    ['1', 1],
    ['10', 10],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ];
  for (const [value, length] of good)
    test(`${value} is ${length}`, () => assert.equal(readContentLength(value), length));

  const broken = [
    '',
    ' ',
    '+1',
    '-1',
    '-0',
    '00',
    '01',
    '1 ',
    ' 1',
    '1,1',
    '1, 1',
    '1;1',
    '1.0',
    '1e3',
    '0x10',
    '1_000',
    'one',
    '\u0661',
    '1\n',
    '9007199254740992',
    '9999999999999999',
    '18446744073709551617',
    '1'.repeat(400),
  ];
  for (const value of broken) {
    test(`${JSON.stringify(value.slice(0, 30))} is none`, () => assert.equal(readContentLength(value), -1));
  }

  test('is a digit or nothing, for every byte', () => {
    for (const byte of BYTES) {
      const digit = byte >= '0' && byte <= '9';
      assert.equal(readContentLength(byte), digit ? Number(byte) : -1, shown(byte));
      assert.equal(readContentLength(`1${byte}`), digit ? Number(`1${byte}`) : -1, shown(byte));
    }
  });
});
