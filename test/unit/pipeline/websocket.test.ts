// Extended CONNECT at the requestRules, and as the handshake of HTTP/1.1.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import { fieldValue } from '../../../src/http/fields.ts';
import { requestRules } from '../../../src/pipeline/request-rules.ts';
import { webSocket } from '../../../src/pipeline/websocket.ts';
import { FakeExchange, type FakeRequest } from './fake-exchange.ts';

function connect(changes: FakeRequest = {}): FakeExchange {
  return new FakeExchange({
    method: 'CONNECT',
    target: '/chat',
    protocol: 'h2',
    authority: 'a',
    connectProtocol: 'websocket',
    bodyLength: UNKNOWN_LENGTH,
    ...changes,
  });
}

describe('the request rules', () => {
  test('a WebSocket passes, as an upgrade without a body', () => {
    const exchange = connect();
    assert.equal(requestRules.apply(exchange), undefined);
    assert.equal(exchange.upgrade, 'websocket');
    assert.equal(exchange.bodyLength, 0);
    assert.equal(exchange.host, 'a');
  });

  const rows: [why: string, changes: FakeRequest, reason: string][] = [
    ['another protocol', { connectProtocol: 'connect-udp' }, 'bad_method'],
    ['a protocol with another letter case', { connectProtocol: 'WebSocket' }, 'bad_method'],
    ['another method', { method: 'GET' }, 'bad_upgrade'],
    ['a stream that is ended', { bodyLength: 0 }, 'bad_upgrade'],
    ['a body', { headers: ['content-length', '5'] }, 'bad_upgrade'],
    ['a target that is no path', { target: 'chat' }, 'bad_target'],
    ['an Upgrade field', { headers: ['upgrade', 'websocket'] }, 'malformed_request'],
  ];
  for (const [why, changes, reason] of rows) {
    test(`${why} is ${reason}`, () => assert.equal(requestRules.apply(connect(changes))?.reason, reason));
  }
});

test('becomes a GET with a key of ours and the version', () => {
  const exchange = connect({ headers: ['Sec-WebSocket-Key', 'theirs', 'sec-websocket-protocol', 'chat'] });
  webSocket.apply(exchange);
  assert.equal(exchange.method, 'GET');
  assert.notEqual(fieldValue(exchange.headers, 'sec-websocket-key'), 'theirs');
  assert.equal(fieldValue(exchange.headers, 'sec-websocket-version'), '13');
  assert.equal(fieldValue(exchange.headers, 'sec-websocket-protocol'), 'chat');
});

test('leaves every other request alone', () => {
  const exchange = new FakeExchange({ headers: ['sec-websocket-key', 'x'] });
  webSocket.apply(exchange);
  assert.deepEqual(exchange.headers, ['sec-websocket-key', 'x']);
});
