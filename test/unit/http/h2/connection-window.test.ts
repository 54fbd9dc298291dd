// The window of a connection where its client has its share: what moves goes on beside what waits.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectionWindow } from '../../../../src/http/h2/connection-window.ts';
import { FIRST_WINDOW } from '../../../../src/http/h2/frames.ts';
import { Budget } from '../../../../src/net/budget.ts';

const FRAME = 16_384;

/** A connection whose client holds so much that nothing more is lent to it. */
function fullWindow(): ConnectionWindow {
  const account = new Budget({ bytes: 2 << 20, percent: 50 }).open('a client');
  const window = new ConnectionWindow({ first: FIRST_WINDOW, most: 4 * FIRST_WINDOW, spare: 2 << 20 }, account);
  while (!account.full) {
    account.count(FRAME);
    assert.ok(window.receive(FRAME), 'what waits is replaced while there is room');
    window.replace();
  }
  return window;
}

it('can be left room for what moves, whatever waits on it', () => {
  const window = fullWindow();
  let rooms = 0;
  for (let moved = 0; moved < 16 << 20; moved += FRAME) {
    if (window.choked && window.leaveRoom() > 0) rooms++;
    assert.ok(window.receive(FRAME), `after ${moved} bytes that are taken at once`);
    window.take(FRAME);
  }
  assert.ok(rooms > 0, 'it was needed');
});

it('says when it is used up', () => {
  const window = fullWindow();
  for (let frames = 0; window.receive(FRAME); frames++) assert.ok(frames < 1000);
  assert.ok(window.choked);
  assert.ok(window.leaveRoom() >= FIRST_WINDOW);
});
