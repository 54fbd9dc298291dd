// The corpus: requests that a lenient server reads in two ways, as bytes, and what becomes of each. Most are known
// by a CVE or a clause; the source stands beside them where the name does not say it.

export type Vector = {
  readonly id: string;
  readonly bytes: string;
  /** The status of the refusal, or what the app must receive: exactly one request that begins like this. */
  readonly want: number | RegExp;
  /** Requests in the bytes that are forwarded; default 1 for a pattern. */
  readonly count?: number;
};

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n';
const CHUNKED = `0\r\n\r\n${SMUGGLED}`;

function raw(line: string, fields: readonly string[], body = ''): string {
  return `${[line, 'Host: app.test', ...fields].join('\r\n')}\r\n\r\n${body}`;
}

/** A POST with these fields, and a body that is a second request to whoever reads the first as ended. */
function post(id: string, fields: readonly string[], want: number | RegExp = 400, body = CHUNKED): Vector {
  return { id, bytes: raw('POST / HTTP/1.1', fields, body), want };
}

function get(id: string, fields: readonly string[], want: number | RegExp = 400): Vector {
  return { id, bytes: raw('GET / HTTP/1.1', fields), want };
}

function line(id: string, text: string, want: number | RegExp = 400): Vector {
  return { id, bytes: `${text}\r\nHost: app.test\r\n\r\n`, want };
}

function chunks(id: string, body: string, want: number | RegExp = 400): Vector {
  return { id, bytes: raw('POST / HTTP/1.1', ['Transfer-Encoding: chunked'], body), want };
}

const TE_CL: Vector[] = [
  post('cl-te', [`Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding: chunked']),
  post('te-cl', ['Transfer-Encoding: chunked', 'Content-Length: 4']),
  post('te-cl-zero', ['Content-Length: 0', 'Transfer-Encoding: chunked']),
  post('te-xchunked', ['Transfer-Encoding: xchunked', 'Content-Length: 4']),
  post('te-xchunked-alone', ['Transfer-Encoding: xchunked']),
  post('te-list-gzip-chunked', ['Transfer-Encoding: gzip, chunked']),
  post('te-list-chunked-gzip', ['Transfer-Encoding: chunked, gzip']),
  post('te-list-chunked-identity', ['Transfer-Encoding: chunked, identity']),
  post('te-list-chunked-chunked', ['Transfer-Encoding: chunked, chunked']),
  post('te-list-empty-members', ['Transfer-Encoding: , chunked']),
  post('te-trailing-comma', ['Transfer-Encoding: chunked,']),
  post('te-twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']),
  post('te-twice-identity', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']),
  post('te-identity', ['Transfer-Encoding: identity', 'Content-Length: 4']),
  post('te-empty', ['Transfer-Encoding:']),
  post('te-empty-and-length', ['Transfer-Encoding:', 'Content-Length: 4']),
  post('te-quoted', ['Transfer-Encoding: "chunked"']),
  post('te-parameter', ['Transfer-Encoding: chunked;q=1']),
  post('te-space-before-colon', ['Transfer-Encoding : chunked']),
  post('te-tab-before-colon', ['Transfer-Encoding\t: chunked']),
  post('te-vertical-tab', ['Transfer-Encoding:\x0bchunked']),
  post('te-form-feed', ['Transfer-Encoding: \x0cchunked']),
  post('te-vertical-tab-behind', ['Transfer-Encoding: chunked\x0b']),
  post('te-nul-behind', ['Transfer-Encoding: chunked\0']),
  post('te-nbsp', ['Transfer-Encoding: \xa0chunked']),
  post('te-obs-fold', ['Transfer-Encoding:\r\n chunked']),
  post('te-obs-fold-tab', ['Transfer-Encoding:\r\n\tchunked']),
  post('te-fold-behind', ['Transfer-Encoding: chunked\r\n ']),
  post('te-leading-space', [' Transfer-Encoding: chunked']),
  post('te-in-folded-line', ['X: y\r\n Transfer-Encoding: chunked']),
  post('te-after-lf', ['X: y\nTransfer-Encoding: chunked']),
  post('te-after-cr', ['X: y\rTransfer-Encoding: chunked']),
  post('te-underscore', ['Transfer_Encoding: chunked', 'Content-Length: 4']),
  post('te-underscore-case', ['tRANSFER_eNCODING: chunked']),
  post(
    'te-case',
    ['tRANSFER-eNCODING: CHUNKED'],
    /^POST \/ HTTP\/1\.1\r\n[\s\S]*Transfer-Encoding: chunked\r\n/,
    '0\r\n\r\n',
  ),
  post('te-tab-around', ['Transfer-Encoding:\tchunked\t'], /\r\nTransfer-Encoding: chunked\r\n/, '0\r\n\r\n'),
  {
    id: 'te-http10',
    bytes: `POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
    want: 400,
  },
  {
    id: 'te-cl-http10',
    bytes: `POST / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
    want: 400,
  },
  get('te-on-get-of-another-name', ['Transfer-Encodin: chunked'], /\r\nTransfer-Encodin: chunked\r\n/),
];

const LENGTHS: Vector[] = [
  ...Object.entries({
    plus: '+4',
    minus: '-4',
    hex: '0x4',
    underscore: '1_0',
    list: '4, 4',
    'list-differs': '4, 5',
    empty: '',
    huge: '99999999999999999999',
    'just-above-2-53': '9007199254740993',
    'leading-zero': '04',
    'many-zeros': '0000000000000000004',
    float: '4.0',
    exponent: '4e0',
    letters: '4a',
    quoted: '"4"',
    semicolon: '4;',
    'inner-space': '1 0',
    'vertical-tab': '\x0b4',
    wide: '\xb2',
    nul: '4\0',
  }).map(([id, value]) => post(`cl-${id}`, [`Content-Length: ${value}`], 400, SMUGGLED)),
  post('cl-twice-same', ['Content-Length: 4', 'Content-Length: 4'], 400, SMUGGLED),
  post('cl-twice-differs', ['Content-Length: 0', 'Content-Length: 44'], 400, SMUGGLED),
  post('cl-name-underscore', ['Content_Length: 44'], 400, SMUGGLED),
  post('cl-space-before-colon', ['Content-Length : 44'], 400, SMUGGLED), // CVE-2024-27982
  post('cl-folded', ['Content-Length:\r\n 44'], 400, SMUGGLED),
  post('cl-space-around', ['Content-Length: \t 4 \t'], /\r\nContent-Length: 4\r\n[\s\S]*\r\n\r\nbody$/, 'body'),
  {
    id: 'cl-on-get-body-is-a-request',
    bytes: raw('GET /outer HTTP/1.1', [`Content-Length: ${SMUGGLED.length}`], SMUGGLED),
    want: /^GET \/outer /,
  },
  {
    id: 'cl-on-delete-chunked',
    bytes: raw(
      'DELETE /outer HTTP/1.1',
      ['Transfer-Encoding: chunked'],
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    ),
    want: /^DELETE \/outer /,
  }, // http-proxy deleteLength
];

const LINES: Vector[] = [
  { id: 'lf-everywhere', bytes: 'GET / HTTP/1.1\nHost: app.test\n\n', want: 400 },
  { id: 'lf-request-line', bytes: 'GET / HTTP/1.1\nHost: app.test\r\n\r\n', want: 400 },
  { id: 'lf-at-the-end', bytes: 'GET / HTTP/1.1\r\nHost: app.test\r\n\n', want: 400 },
  {
    id: 'cr-only-head',
    bytes: 'GET / HTTP/1.1\r\nHost: app.test\r\rGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
    want: 400,
  }, // CVE-2023-30589, CVE-2025-23167
  get('cr-in-value', ['X-A: 1\rX-B: 2']),
  get('nul-in-value', ['X-A: 1\x002']),
  get('nul-in-name', ['X\0A: 1']),
  get('del-in-value', ['X-A: 1\x7f2']),
  get('obs-fold', ['X-A: 1\r\n 2']),
  get('space-before-colon', ['X-A : 1']),
  get('empty-name', [': 1']), // CVE-2023-25725
  get('no-colon', ['X-A']),
  get('name-with-space', ['X A: 1']),
  get('name-with-slash', ['X/A: 1']),
  get('name-above-ascii', ['X-\xc3\xa9: 1']),
  get('space-only-line', [' ']),
  {
    id: 'fields-1100-then-length',
    bytes: raw(
      'GET / HTTP/1.1',
      [...Array.from({ length: 1100 }, () => 'a:'), `Content-Length: ${SMUGGLED.length}`],
      SMUGGLED,
    ),
    want: 431,
  }, // CVE-2026-58044
  {
    id: 'fields-1100-then-coding',
    bytes: raw(
      'DELETE / HTTP/1.1',
      [...Array.from({ length: 1100 }, () => 'a:'), 'Transfer-Encoding: chunked'],
      CHUNKED,
    ),
    want: 431,
  },
  get('head-too-large', [`X: ${'x'.repeat(17_000)}`], 431),
  get(
    'proto-fields',
    ['__proto__: 1', 'constructor: 2', 'Cookie: __proto__=1'],
    /\r\n__proto__: 1\r\nconstructor: 2\r\n/,
  ), // CVE-2026-21710
];

const HOSTS: Vector[] = [
  { id: 'host-missing', bytes: 'GET / HTTP/1.1\r\nX: y\r\n\r\n', want: 400 },
  ...Object.entries({
    empty: '',
    space: 'a b',
    comma: 'a, b',
    userinfo: 'user@app.test',
    slash: 'app.test/x',
    question: 'app.test?x',
    hash: 'app.test#x',
    port: 'app.test:99999',
    'port-text': 'app.test:http',
    'bracket-open': '[::1',
    'bracket-text': '[app]',
    'two-ports': 'app.test:80:80',
    nul: 'app\0.test',
    high: 'app\xe9.test',
    quote: '"app.test"',
    backslash: 'app.test\\x',
    percent: 'a%zz',
  }).map(([id, host]) => ({ id: `host-${id}`, bytes: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, want: 400 })),
  { id: 'host-twice', bytes: 'GET / HTTP/1.1\r\nHost: app.test\r\nHost: evil.test\r\n\r\n', want: 400 },
  { id: 'host-twice-same', bytes: 'GET / HTTP/1.1\r\nHost: app.test\r\nhost: app.test\r\n\r\n', want: 400 },
  { id: 'host-space-before-colon', bytes: 'GET / HTTP/1.1\r\nHost : app.test\r\n\r\n', want: 400 },
  { id: 'host-folded', bytes: 'GET / HTTP/1.1\r\nHost:\r\n app.test\r\n\r\n', want: 400 },
  { id: 'host-in-absolute-form-differs', bytes: 'GET http://evil.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n', want: 400 },
  {
    id: 'host-in-absolute-form-has-a-port',
    bytes: 'GET http://app.test:81/ HTTP/1.1\r\nHost: app.test\r\n\r\n',
    want: 400,
  },
  {
    id: 'host-in-absolute-form-has-user',
    bytes: 'GET http://a@app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n',
    want: 400,
  },
];

const TARGETS: Vector[] = [
  line('target-hash', 'GET /a#b HTTP/1.1'), // CVE-2023-45539
  line('target-hash-absolute', 'GET http://app.test/a#b HTTP/1.1'),
  line('target-space', 'GET /a b HTTP/1.1'),
  line('target-two-spaces', 'GET  / HTTP/1.1'),
  line('target-tab', 'GET\t/ HTTP/1.1'),
  line('target-control', 'GET /\x01 HTTP/1.1'),
  line('target-del', 'GET /\x7f HTTP/1.1'),
  line('target-high', 'GET /\xe9 HTTP/1.1'),
  line('target-nul', 'GET /\0 HTTP/1.1'),
  line('target-relative', 'GET a HTTP/1.1'),
  line('target-empty', 'GET  HTTP/1.1'),
  line('target-star-get', 'GET * HTTP/1.1'),
  line('target-other-scheme', 'GET ftp://app.test/ HTTP/1.1'),
  line('target-file', 'GET file:///etc/passwd HTTP/1.1'),
  line('target-double-slash', 'GET //evil.test/%2e%2e HTTP/1.1', /^GET \/\/evil\.test\/%2e%2e HTTP/),
  line('connect', 'CONNECT app.test:443 HTTP/1.1', 501),
  line('connect-path', 'CONNECT / HTTP/1.1', 501),
  line('trace', 'TRACE / HTTP/1.1', 501),
  line('method-lower-case', 'get / HTTP/1.1', 501),
  line('method-not-a-token', 'GE(T / HTTP/1.1'),
  { id: 'http09', bytes: 'GET /\r\n\r\n', want: 400 },
  line('version-20', 'GET / HTTP/2.0', 505),
  line('version-12', 'GET / HTTP/1.2', 505),
  line('version-09', 'GET / HTTP/0.9', 505),
  line('version-11-with-zeros', 'GET / HTTP/01.1'),
  line('version-lower-case', 'GET / http/1.1'),
  line('version-space-behind', 'GET / HTTP/1.1 '),
  line('version-sign', 'GET / HTTP/+1.1'),
  { id: 'preface-of-h2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', want: 505 },
];

const CHUNKS: Vector[] = [
  chunks('chunk-lf', `5\nhello\n0\n\n${SMUGGLED}`),
  chunks('chunk-lf-after-size', '5\nhello\r\n0\r\n\r\n'),
  chunks('chunk-lf-after-data', '5\r\nhello\n0\r\n\r\n'),
  chunks('chunk-cr-after-size', '5\rhello\r\n0\r\n\r\n'),
  chunks('chunk-lf-in-extension', '5;a\nhello\r\n0\r\n\r\n'),
  chunks('chunk-cr-in-extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-nul-in-extension', '5;\0\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-extension-flood', Array.from({ length: 400 }, () => `1;${'x'.repeat(100)}\r\na\r\n`).join('')), // CVE-2024-22019
  chunks('chunk-overflow-64', `10000000000000005\r\nhello\r\n0\r\n\r\n`),
  chunks('chunk-many-zeros', `${'0'.repeat(100)}5\r\nhello\r\n0\r\n\r\n`),
  chunks('chunk-negative', '-5\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-plus', '+5\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-0x', '0x5\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-underscore', '0_5\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-space-before-size', ' 5\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-space-after-size', '5 \r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-empty-size', '\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-size-only-extension', ';a\r\nhello\r\n0\r\n\r\n'),
  chunks('chunk-longer-than-said', `3\r\nhello\r\n0\r\n\r\n`),
  chunks('chunk-trailer-lf', '0\r\nX: y\n\r\n\r\n'),
  chunks('chunk-trailer-folded', '0\r\nX: y\r\n z\r\n\r\n'),
  chunks('chunk-trailer-no-colon', '0\r\nGET /smuggled HTTP/1.1\r\n\r\n'),
  chunks('chunk-trailer-too-large', `0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
  chunks('chunk-extension-dropped', `5;a="\\"GET /"\r\nhello\r\n0\r\n\r\n`, /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/),
];

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const CONNECTION: Vector[] = [
  ...['Host', 'Content-Length', 'Cookie', 'Authorization', 'close, Host'].map((name) =>
    get(`connection-names-${name.toLowerCase().replace(/\W+/g, '-')}`, [`Connection: ${name}`]),
  ),
  get(
    'connection-names-ours',
    ['Connection: X-Forwarded-For, X-Forwarded-Proto'],
    /\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: https\r\n/,
  ),
  get('connection-names-transfer-encoding', ['Connection: Transfer-Encoding'], /^GET \/ /),
  get(
    'upgrade-h2c',
    ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    /^(?![\s\S]*(?:upgrade|http2))/i,
  ),
  get('upgrade-list', ['Connection: Upgrade', 'Upgrade: websocket, h2c', KEY], /^(?![\s\S]*upgrade:)/i),
  get('upgrade-tls', ['Connection: Upgrade', 'Upgrade: TLS/1.2'], /^(?![\s\S]*upgrade:)/i),
  {
    id: 'upgrade-with-length',
    bytes: raw(
      'GET / HTTP/1.1',
      ['Connection: Upgrade', 'Upgrade: websocket', KEY, `Content-Length: ${SMUGGLED.length}`],
      SMUGGLED,
    ),
    want: 400,
  }, // CVE-2026-58055
  {
    id: 'upgrade-with-coding',
    bytes: raw(
      'GET / HTTP/1.1',
      ['Connection: Upgrade', 'Upgrade: websocket', KEY, 'Transfer-Encoding: chunked'],
      CHUNKED,
    ),
    want: 400,
  },
  { id: 'upgrade-post', bytes: raw('POST / HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket', KEY]), want: 400 },
  get('upgrade-two-keys', ['Connection: Upgrade', 'Upgrade: websocket', KEY, KEY]),
  {
    id: 'upgrade-http10',
    bytes: `GET / HTTP/1.0\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${KEY}\r\n\r\n`,
    want: /^(?![\s\S]*upgrade:)/i,
  },
  get('expect-unknown', ['Expect: 200-ok'], 417),
  get('expect-twice', ['Expect: 100-continue', 'Expect: 100-continue'], 417),
  get(
    'underscore-forwarded',
    ['X_Forwarded_For: 6.6.6.6', 'x_forwarded-client_cert: Hash=1', 'X-Forwarded_Proto: http'],
    /^(?![\s\S]*(?:6\.6\.6\.6|Hash|_))/,
  ),
  get('underscore-request-id', ['X_Request_Id: mine'], /^(?![\s\S]*mine)/),
  get('underscore-host', ['H_ost: x'], /\r\nH_ost: x\r\n/),
];

export const VECTORS: readonly Vector[] = [
  ...TE_CL,
  ...LENGTHS,
  ...LINES,
  ...HOSTS,
  ...TARGETS,
  ...CHUNKS,
  ...CONNECTION,
];
