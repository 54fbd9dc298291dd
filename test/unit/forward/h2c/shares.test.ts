// Streams of shared sessions are shared like connections: while others wait, no client has more than its part.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppStage, type Call } from '../../../support/app-session-stage.ts';
import { Setting, settings } from '../../../support/h2-frames.ts';
import { turns } from '../../../support/h2-stage.ts';

const HALF = { percent: 50, refused: () => {} };

async function staged(t: { after(end: () => void): void }, streams: number, sessions = 1): Promise<AppStage> {
  const stage = new AppStage({}, sessions, HALF);
  t.after(() => {
    stage.end();
    assert.deepEqual(stage.crashes, []);
  });
  const first = stage.call({}, undefined, 'first');
  await stage.app.say(settings([[Setting.maxConcurrentStreams, streams]]));
  first.transport?.abandon();
  return stage;
}

const lent = (calls: readonly Call[]): number => calls.filter(({ transport }) => transport !== undefined).length;

test('a client alone may have all streams; while others wait, none above its part', async (t) => {
  const stage = await staged(t, 4);
  const crowd = Array.from({ length: 8 }, () => stage.call({}, undefined, 'a'));
  assert.equal(lent(crowd), 4);
  const other = stage.call({}, undefined, 'b');
  assert.equal(other.transport, undefined);
  crowd[0]?.transport?.abandon();
  await turns();
  // Of the crowd somebody came first, and its client has its part.
  assert.notEqual(other.transport, undefined);
  assert.equal(lent(crowd), 4);
});

test('who has its part is asked to give back what it does not move', async (t) => {
  const stage = await staged(t, 4);
  const crowd = Array.from({ length: 4 }, () => stage.call({}, undefined, 'a'));
  await stage.pass(500);
  assert.deepEqual(new Set(crowd.map(({ yields }) => yields)), new Set([0]));
  stage.call({}, undefined, 'b');
  await stage.pass(500);
  assert.deepEqual(new Set(crowd.map(({ yields }) => yields)), new Set([1]));
});
