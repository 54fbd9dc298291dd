// The proof of the WebSocket handshake.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptOf, createWebSocketKey } from '../../../src/http/websocket.ts';

test('the example of RFC 6455 section 1.3', () => {
  assert.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('keys are 16 bytes in base64, and differ', () => {
  const key = createWebSocketKey();
  assert.equal(Buffer.from(key, 'base64').length, 16);
  assert.notEqual(key, createWebSocketKey());
});
