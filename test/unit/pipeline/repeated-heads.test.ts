// A request whose fields came before, byte for byte, comes to the same as one that is seen for the first time: whatever the
// method, the target, the connection and the order in which they come.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAdmission } from '../../../src/clients/allow.ts';
import { readAnswer } from '../../../src/forward/answer.ts';
import { readHead } from '../../../src/forward/wire/answer-head.ts';
import { requestText } from '../../../src/forward/wire/request.ts';
import { writeFields } from '../../../src/http/head.ts';
import { UnreadBytes } from '../../../src/http/unread.ts';
import { readRequestHead } from '../../../src/listener/http1/request-head.ts';
import { AddressList } from '../../../src/net/addresses.ts';
import { ClientRates } from '../../../src/net/client-rates.ts';
import { createPolicies } from '../../../src/pipeline/policies.ts';
import { FakeExchange } from './fake-exchange.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'get', 'TRACE', 'CONNECT', 'OPTIONS'];
const TARGETS = ['/', '/a?b', '/a#b', '*', 'http://a.example/x', 'http://b.example/', 'nothing', '/b'];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0'];
const BLOCKS = [
  'Host: a.example\r\n',
  'Host: b.example:8443\r\nAccept: */*\r\n',
  'Host: a.example\r\nConnection: close, X-Gone\r\nX-Gone: 1\r\nX-Kept: 2\r\n',
  'Host: a.example\r\nConnection: Host\r\n',
  'Host: a.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n',
  'Host: a.example\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: X-Sum\r\n',
  'Host: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Host: a.example\r\nX-Forwarded-For: 1.2.3.4\r\nX_Real_IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Request-Id: mine\r\n',
  'Host: a.example\r\nX-Forwarded-Client-Cert: Hash=1\r\nx.forwarded.client.cert: Hash=2\r\n',
  'Host: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n',
  'Host: a.example\r\nHost: b.example\r\n',
  'Accept: */*\r\n',
  '',
];
const PEERS = ['192.0.2.7', '10.0.0.1'];

const policies = createPolicies({
  limits: { maxBodySize: Number.POSITIVE_INFINITY, rateLimit: undefined },
  rates: new ClientRates(() => 0),
  appAuthority: 'app.local',
  plaintext: 'reject',
  trusted: new AddressList([{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }]),
  admission: createAdmission({ cn: [], ou: [], dns: [], uri: [] }),
});

/** What becomes of a request: the reason why it is refused, or what the app gets. */
function outcome(exchange: FakeExchange): unknown {
  for (const policy of policies) {
    const rejection = policy.apply(exchange);
    if (rejection !== undefined) return rejection.reason;
  }
  const { host, bodyLength, awaitsContinue, persistent, upgrade, client, requestId } = exchange;
  const text = requestText(exchange).replaceAll(requestId, 'ID');
  return { text, host, bodyLength, awaitsContinue, persistent, upgrade, client, sent: exchange.sent.length };
}

function read(head: string): ReturnType<typeof readRequestHead> {
  const unread = new UnreadBytes();
  unread.push(Buffer.from(`${head}\r\n`, 'latin1'));
  return readRequestHead(unread, { maxHeaderBytes: 16_384, maxFields: 256 });
}

/** A walk through all of `count` combinations in which each is followed by every other in time, and many repeat. */
function walk(count: number, steps: number, visit: (combination: number, step: number) => void): void {
  let state = 1;
  for (let step = 0; step < steps; step++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    // Mostly few combinations, so that they come again before others take their place.
    visit(((state >>> 16) % (step % 3 === 0 ? count : 8)) % count, step);
  }
}

describe('a request whose fields came before', () => {
  it('comes to the same as one that is seen for the first time', () => {
    const count = METHODS.length * TARGETS.length * VERSIONS.length * BLOCKS.length * PEERS.length;
    let kept = 0;
    const lists = new Set<readonly string[]>();
    walk(count, 40_000, (combination) => {
      let rest = combination;
      const pick = <T>(from: readonly T[]): T => {
        const value = from[rest % from.length] as T;
        rest = Math.floor(rest / from.length);
        return value;
      };
      const block = pick(BLOCKS);
      const line = `${pick(METHODS)} ${pick(TARGETS)} ${pick(VERSIONS)}`;
      const peer = pick(PEERS);
      const head = read(`${line}\r\n${block}`);
      assert.ok(head !== undefined && head.reason === undefined, line);
      if (lists.has(head.headers)) kept++;
      lists.add(head.headers);
      const before = [...head.headers];
      const connection = { remoteAddress: peer, peerAddress: peer };
      const repeated = outcome(new FakeExchange({ ...head, connection }));
      // A copy of the list is no list that came before.
      const fresh = outcome(new FakeExchange({ ...head, headers: [...before], connection }));
      assert.deepEqual(repeated, fresh, `${line} from ${peer}\n${block}`);
      assert.deepEqual(head.headers, before, 'nobody changes a list that others share');
    });
    assert.ok(kept > 20_000, `${kept} of the lists were kept ones`);
  });
});

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive, x-gone\r\nX-Gone: 1\r\nContent-Length: 5\r\n',
  'HTTP/1.1 205 Reset\r\n',
  'HTTP/1.1 204 Nothing\r\nContent-Length: 5\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n',
  'HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\n',
];

describe('an answer whose head came before', () => {
  it('is read as one that is seen for the first time, for every method', () => {
    walk(ANSWERS.length * 3, 2_000, (combination) => {
      const text = ANSWERS[combination % ANSWERS.length] as string;
      const method = ['GET', 'HEAD', 'POST'][Math.floor(combination / ANSWERS.length)] as string;
      const bytes = Buffer.from(`${text}\r\nbody`);
      const unread = new UnreadBytes();
      unread.push(bytes);
      const head = readHead(unread, bytes, { maxHeaderBytes: 16_384, maxFields: 256 });
      assert.ok(head !== undefined && !('error' in head), text);
      assert.equal(head.used, bytes.length - 'body'.length);
      const { version, status, reason, headers } = head;
      const repeated = readAnswer(method, version, status, reason, headers);
      assert.deepEqual(repeated, readAnswer(method, version, status, reason, [...headers]), `${method}: ${text}`);
      if ('headers' in repeated) assert.equal(writeFields(repeated.headers), writeFields([...repeated.headers]));
    });
  });

  it('is refused where its fields are more than are allowed here', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n');
    const readWith = (maxFields: number): unknown => {
      const unread = new UnreadBytes();
      unread.push(bytes);
      const head = readHead(unread, bytes, { maxHeaderBytes: 16_384, maxFields });
      return head !== undefined && 'error' in head ? head.reason : 'read';
    };
    const told = [10, 10, 10, 2, 10].map(readWith);
    assert.deepEqual(told, ['read', 'read', 'read', 'upstream_header_too_large', 'read']);
  });
});

describe('a request with a long line', () => {
  it('leaves nothing behind, as a part of a text holds on to all of it', () => {
    const lists = new Set<unknown>();
    for (let i = 0; i < 4; i++) lists.add(read(`GET /${'a'.repeat(2048)} HTTP/1.1\r\nHost: long.example\r\n`)?.headers);
    assert.equal(lists.size, 4);
  });
});
