// Exchanges in which the app fails or lies. Before its head: one status of ours, and not a byte of the app's. After it: a cut.

import {
  answer,
  chunked,
  type ExchangeRow,
  inPieces,
  OK,
  request,
  thenEnds,
  thenResets,
  thenSends,
} from './exchange-row.ts';

const GET = request('GET /');

function refused(
  name: string,
  app: ExchangeRow['app'],
  details: string,
  differs?: ExchangeRow['differs'],
): ExchangeRow {
  const client = new RegExp(`HTTP/1\\.1 502 [\\s\\S]*; details="(?:${details})"\\r\\n`);
  return { name, send: GET, app, want: { status: 502, client }, ...(differs && { differs }) };
}

/** A head with this field, the connection kept open: the outcome must not wait for a time-out. */
function badField(name: string, field: string, details = 'upstream_malformed'): ExchangeRow {
  return refused(name, `HTTP/1.1 200 OK\r\n${field}\r\nContent-Length: 2\r\n\r\nok`, details);
}

function ambiguous(name: string, fields: string[], body = 'ok'): ExchangeRow {
  return refused(name, answer('200 OK', fields, body), 'upstream_ambiguous|upstream_malformed', ['node-reads-it']);
}

function cut(name: string, app: ExchangeRow['app'], client?: RegExp): ExchangeRow {
  return { name, send: GET, app, want: { status: 200, cut: true, ...(client && { client }) } };
}

const GONE: ExchangeRow[] = [
  {
    name: 'an app that refuses the connection',
    send: GET,
    down: true,
    app: OK,
    want: { status: 502, client: /details="upstream_refused"/, app: 'nothing' },
  },
  {
    name: 'an app that refuses the connection of a POST',
    send: request('POST /', ['Content-Length: 2'], 'hi'),
    down: true,
    app: OK,
    want: { status: 502, client: /details="upstream_(?:refused|closed)"/, app: 'nothing' },
    differs: ['notices-later'],
  },
  refused('an app that closes instead of answering', thenEnds(''), 'upstream_closed'),
  refused('an app that resets instead of answering', thenResets(''), 'upstream_closed'),
  refused('an app that closes in the middle of its head', thenEnds('HTTP/1.1 200 OK\r\nContent-Le'), 'upstream_closed'),
  refused(
    'an app that resets in the middle of its head',
    thenResets('HTTP/1.1 200 OK\r\nContent-Le'),
    'upstream_closed',
  ),
  {
    name: 'an app that closes on a POST',
    send: request('POST /', ['Content-Length: 2'], 'hi'),
    app: thenEnds(''),
    want: { status: 502, client: /details="upstream_closed"/ },
  },
  {
    name: 'an app that closes on a HEAD',
    send: request('HEAD /'),
    head: true,
    app: thenEnds(''),
    want: { status: 502, client: /details="upstream_closed"/ },
  },
  cut(
    'an app that closes in a body of known length',
    thenEnds(answer('200 OK', ['Content-Length: 100'], 'half')),
    /half$/,
  ),
  cut(
    'an app that resets in a body of known length',
    thenResets(answer('200 OK', ['Content-Length: 100'], 'half'), 'half'),
  ),
  cut(
    'an app that closes in a chunk',
    thenEnds(answer('200 OK', ['Transfer-Encoding: chunked'], '64\r\nhalf')),
    /half$/,
  ),
  cut(
    'an app that closes between chunks',
    thenEnds(answer('200 OK', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n')),
    /half$/,
  ),
  cut(
    'an app that closes before the end of its trailers',
    thenEnds(answer('200 OK', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n0\r\nX-A: 1\r\n')),
  ),
  cut(
    'an app that resets in chunks',
    thenResets(answer('200 OK', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n'), 'half'),
  ),
  cut('an app that resets in a body until the end of the connection', thenResets(answer('200 OK', [], 'half'), 'half')),
];

const HEADS: ExchangeRow[] = [
  refused('another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'upstream_malformed'),
  refused('a body without a head (HTTP/0.9)', '<html>hello</html>', 'upstream_malformed'),
  refused(
    '64 KiB of noise',
    `${'\x00\xff\r\n\x80garbage'.repeat(6000)}`,
    'upstream_malformed|upstream_header_too_large',
    ['node-reads-it'],
  ),
  refused('status 099', answer('099 Low', ['Content-Length: 0']), 'upstream_malformed'),
  refused('status 000', answer('000 None', ['Content-Length: 0']), 'upstream_malformed'),
  refused('status 600', answer('600 High', ['Content-Length: 0']), 'upstream_malformed'),
  refused('status 888', answer('888 Fancy', ['Content-Length: 0']), 'upstream_malformed'),
  refused('status of four digits', answer('2000 OK', ['Content-Length: 0']), 'upstream_malformed'),
  refused('HTTP/2.0 in a status line', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n', 'upstream_malformed'),
  refused('HTTP/1.2 in a status line', 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n', 'upstream_malformed'),
  refused('http in lower case', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'upstream_malformed'),
  {
    ...refused('an empty line before the head', `\r\n${OK}`, 'upstream_malformed', ['node-reads-it']),
    httpProxy: { status: 200, client: /\r\n\r\nok$/ },
  },
  refused('a head of bare LFs', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 'upstream_malformed'),
  refused('one bare LF', 'HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 2\r\n\r\nok', 'upstream_malformed'),
  badField('a bare CR in a value', 'X-A: 1\r2'),
  badField('a NUL in a value', 'X-A: 1\x002'),
  badField('another control character in a value', 'X-A: 1\x012', 'upstream_malformed'),
  badField('a space before the colon', 'X-A : 1'),
  badField('a folded line', 'X-A: 1\r\n 2'),
  badField('a field without a name', ': 1'),
  badField('a line without a colon', 'no colon here'),
  badField('a name that is no token', 'X(A): 1'),
  refused(
    'an answer with a head above its cap',
    answer('200 OK', [...Array.from({ length: 33 }, (_, at) => `X-${at}: ${'y'.repeat(1000)}`), 'Content-Length: 0']),
    'upstream_header_too_large',
  ),
  refused('a field that does not end', `HTTP/1.1 200 OK\r\nX-A: ${'y'.repeat(70_000)}`, 'upstream_header_too_large'),
  refused(
    '257 fields',
    answer('200 OK', [...Array.from({ length: 256 }, () => 'a: b'), 'Content-Length: 0']),
    'upstream_header_too_large',
  ),
  refused(
    '1,500 fields',
    answer('200 OK', [...Array.from({ length: 1500 }, () => 'a: b'), 'Content-Length: 0']),
    'upstream_header_too_large',
  ),
  refused(
    '1,500 fields, the length before them',
    answer('200 OK', ['Content-Length: 2', ...Array.from({ length: 1500 }, () => 'a: b')], 'ok'),
    'upstream_header_too_large',
  ),
  refused(
    'a 101 that nobody asked for',
    answer('101 Switching Protocols', ['Upgrade: websocket', 'Connection: Upgrade']),
    'upstream_bad_upgrade',
  ),
  refused('interim answers without an end', answer('103 Early Hints').repeat(40) + OK, 'upstream_malformed'),
];

const LENGTHS: ExchangeRow[] = [
  ambiguous('two Content-Lengths that differ', ['Content-Length: 2', 'Content-Length: 3']),
  ambiguous('two Content-Lengths that agree', ['Content-Length: 2', 'content-length: 2']),
  ambiguous('a Content-Length that is a list', ['Content-Length: 2, 2']),
  ambiguous('a negative Content-Length', ['Content-Length: -2']),
  ambiguous('a Content-Length with a sign', ['Content-Length: +2']),
  ambiguous('a Content-Length with a leading zero', ['Content-Length: 02']),
  ambiguous('a Content-Length in hexadecimal', ['Content-Length: 0x2']),
  ambiguous('an empty Content-Length', ['Content-Length:']),
  ambiguous('a Content-Length of 30 digits', [`Content-Length: ${'9'.repeat(30)}`]),
  ambiguous('a Content-Length and a coding', ['Content-Length: 2', 'Transfer-Encoding: chunked'], chunked('ok')),
  ambiguous('a coding and a Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 2'], chunked('ok')),
  ambiguous('a coding that is unknown', ['Transfer-Encoding: zip']),
  ambiguous('gzip, then chunked', ['Transfer-Encoding: gzip, chunked'], chunked('ok')),
  ambiguous('chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunked('ok')),
  ambiguous('an empty coding', ['Transfer-Encoding:']),
  ambiguous('chunked with a parameter', ['Transfer-Encoding: chunked;x=1'], chunked('ok')),
  refused(
    'chunked in HTTP/1.0',
    `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked('ok')}`,
    'upstream_ambiguous',
  ),
  ambiguous('a length of two kinds on a 304', ['Content-Length: 2', 'Content-Length: 3']),
];

const OK_CHUNK = answer('200 OK', ['Transfer-Encoding: chunked'], '2\r\nok\r\n');

const BODIES: ExchangeRow[] = [
  cut('a chunk size that is no number', thenSends(OK_CHUNK, 'zz\r\n'), /ok/),
  cut('a chunk size with a sign', thenSends(OK_CHUNK, '-2\r\nok\r\n'), /ok/),
  cut('a chunk size beyond all measure', thenSends(OK_CHUNK, `${'f'.repeat(40)}\r\nok\r\n`), /ok/),
  {
    ...cut('a chunk that is longer than it says', thenSends(OK_CHUNK, '2\r\nokok\r\n0\r\n\r\n'), /ok/),
    httpProxy: { status: 200, cut: true },
    differs: ['cut-later'],
  },
  cut('chunks with bare LFs', thenSends(OK_CHUNK, '2\nok\n0\n\n'), /ok/),
  cut('a chunk with an extension of 100 KB', thenSends(OK_CHUNK, `2;${'x'.repeat(100_000)}\r\nok\r\n0\r\n\r\n`), /ok/),
  {
    name: 'a chunk size that is no number, in the same read as the head',
    send: GET,
    app: `${OK_CHUNK}zz\r\n`,
    want: { status: 0, cut: true },
    httpProxy: { status: 200, cut: true },
    differs: ['cut-later'],
  },
  {
    name: 'bytes after an answer of known length reach nobody',
    send: GET,
    app: `${answer('200 OK', ['Content-Length: 2'], 'ok')}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON`,
    want: { status: 200, client: /\r\n\r\nok$/ },
  },
  {
    name: 'bytes after a chunked answer reach nobody',
    send: GET,
    app: `${answer('200 OK', ['Transfer-Encoding: chunked'], chunked('ok'))}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON`,
    want: { status: 200, client: /\r\n\r\nok$/ },
  },
  {
    name: 'a second answer that comes by itself reaches nobody',
    send: GET,
    app: inPieces(OK, 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON'),
    want: { status: 200, client: /\r\n\r\nok$/ },
  },
  {
    name: 'a body that answers a HEAD reaches nobody',
    send: request('HEAD /'),
    head: true,
    app: answer('200 OK', ['Content-Length: 6'], 'POISON'),
    want: { status: 200, client: /Content-Length: 6\r\n\r\n$/ },
    differs: ['cuts-the-client'],
  },
  {
    name: 'a body of a 204 reaches nobody',
    send: GET,
    app: answer('204 No Content', [], 'POISON'),
    want: { status: 204, client: /\r\n\r\n$/ },
    differs: ['cuts-the-client'],
  },
  {
    name: 'a body of a 304 reaches nobody',
    send: GET,
    app: answer('304 Not Modified', ['Content-Length: 6'], 'POISON'),
    want: { status: 304, client: /\r\n\r\n$/ },
    differs: ['cuts-the-client'],
  },
];

export const FAILURES: readonly ExchangeRow[] = [...GONE, ...HEADS, ...LENGTHS, ...BODIES];
