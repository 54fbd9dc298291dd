// One HTTP/2 connection to the app: when it is lent, how much it carries, and how it ends, judged by frames, on a clock that
// the test holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_STREAMS, OUR_RESETS } from '../../../../src/forward/h2c/app-limits.ts';
import type { ForwardLimits } from '../../../../src/forward/upstream.ts';
import { AppStage, type Call } from '../../../support/app-session-stage.ts';
import {
  Code,
  data,
  type Field,
  Flag,
  goaway,
  headers,
  PREFACE,
  ping,
  pushPromise,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-frames.ts';
import { turns } from '../../../support/h2-stage.ts';

const OK: Field[] = [[':status', '200']];

function staged(t: { after(end: () => void): void }, limits: Partial<ForwardLimits> = {}, maxMembers = 4): AppStage {
  const stage = new AppStage(limits, maxMembers);
  t.after(() => {
    stage.end();
    assert.deepEqual(stage.crashes, []);
  });
  return stage;
}

const begun = (stage: AppStage): number => stage.framesOf(Type.headers).length;

test('preface and SETTINGS at once; a stream only after the SETTINGS of the app', async (t) => {
  const stage = staged(t);
  stage.call();
  await turns();
  assert.ok(stage.app.preface.equals(PREFACE));
  assert.deepEqual(
    stage.app.frames.map(({ type }) => type),
    [Type.settings, Type.windowUpdate],
  );
  await stage.app.say(settings());
  assert.equal(begun(stage), 1);
  assert.ok(stage.app.frames.some(({ type, flags }) => type === Type.settings && flags === Flag.ack));
});

test('no more streams than the app allows, now and later; the others wait, or go to another session', async (t) => {
  const stage = staged(t, {}, 1);
  await stage.begin({}, [[Setting.maxConcurrentStreams, 2]]);
  stage.call();
  stage.call();
  await turns();
  assert.equal(begun(stage), 2);
  await stage.app.say(settings([[Setting.maxConcurrentStreams, 3]]));
  assert.equal(begun(stage), 3);
  await stage.app.say(settings([[Setting.maxConcurrentStreams, 1]]), headers(1, OK));
  stage.call();
  await turns();
  assert.equal(begun(stage), 3);
  await stage.app.say(headers(3, OK), headers(5, OK));
  assert.equal(begun(stage), 4);
});

test('an app that allows any number gets 256 on a session, and then another session', async (t) => {
  const stage = staged(t);
  await stage.begin();
  for (let i = 0; i < MAX_STREAMS; i++) stage.call();
  await turns();
  assert.equal(begun(stage), MAX_STREAMS);
  assert.equal(stage.sockets.length, 2);
  await stage.app.say(settings());
  assert.equal(begun(stage), MAX_STREAMS + 1);
});

test('the windows of streams follow the SETTINGS of the app', async (t) => {
  const stage = staged(t);
  const call = await stage.begin({ method: 'POST', bodyLength: -1 }, [[Setting.initialWindowSize, 0]]);
  call.transport?.sendBody(Buffer.from('hello'));
  await turns();
  assert.deepEqual(stage.app.of(Type.data), []);
  await stage.app.say(settings([[Setting.initialWindowSize, 3]]));
  assert.equal(String(stage.app.of(Type.data)[0]?.payload), 'hel');
  await stage.app.say(windowUpdate(1, 10));
  assert.equal(String(stage.app.of(Type.data)[1]?.payload), 'lo');
});

test('a PING is answered', async (t) => {
  const stage = staged(t);
  await stage.begin();
  await stage.app.say(ping('abcdefgh'));
  assert.equal(String(stage.app.of(Type.ping)[0]?.payload), 'abcdefgh');
});

test('GOAWAY: what the app has seen finishes, new calls go to another session, and then it closes', async (t) => {
  const stage = staged(t);
  const [seen, unseen] = [await stage.begin(), stage.call()];
  const first = stage.app;
  await first.say(goaway(1));
  assert.deepEqual([seen.told, unseen.told], [[], ['failed upstream_closed unseen']]);
  const next = stage.call();
  assert.equal(stage.sockets.length, 2);
  await stage.app.say(settings(), headers(1, OK));
  assert.equal(next.told.at(-1), 'end');
  await first.say(headers(1, OK, false), data(1, 'done', true));
  assert.deepEqual(seen.told, ['head 200', 'body 4', 'end']);
  assert.ok(first.ended);
});

test('an idle session is closed with GOAWAY after the idle time-out, and its socket whatever the app does', async (t) => {
  const stage = staged(t, { idleTimeoutMs: 10_000 });
  await stage.begin();
  await stage.app.say(headers(1, OK));
  await stage.pass(9000);
  assert.equal(stage.app.ended, false);
  await stage.pass(1000);
  assert.deepEqual(
    stage.app.of(Type.goaway).map(({ payload }) => payload.readUInt32BE(4)),
    [Code.noError],
  );
  assert.ok(stage.app.ended && !stage.app.destroyed);
  await stage.pass(1000);
  assert.ok(stage.app.destroyed);
});

test('an app that never says its SETTINGS is upstream_connect_timeout', async (t) => {
  const stage = staged(t, { connectTimeoutMs: 5000 });
  const call = stage.call();
  await stage.pass(5000);
  assert.match(call.told.join(), /^denied upstream_(?:connect_timeout|busy)$/);
  assert.ok(stage.app.destroyed);
});

test('an app that does not acknowledge our SETTINGS within ten seconds has broken the protocol', async (t) => {
  const stage = staged(t);
  const call = stage.call();
  await stage.app.say(settings());
  await stage.app.say(headers(1, OK, false));
  await stage.pass(9999);
  assert.deepEqual(call.told, ['head 200']);
  await stage.pass(1);
  assert.match(call.told.join(), /^head 200,failed upstream_/);
  assert.deepEqual(
    stage.app.of(Type.goaway).map(({ payload }) => payload.readUInt32BE(4)),
    [Code.settingsTimeout],
  );
  await stage.pass(1000);
  assert.ok(stage.app.destroyed);
});

test('one that does has as long as it wants', async (t) => {
  const stage = staged(t);
  const call = stage.call();
  await stage.app.say(settings(), SETTINGS_ACK);
  await stage.pass(30_000);
  await stage.app.say(headers(1, OK));
  assert.deepEqual(call.told, ['head 200', 'end']);
});

test('an app that closes without a word is upstream_closed', async (t) => {
  const stage = staged(t);
  const call = stage.call();
  stage.app.push(null);
  await turns(8);
  assert.deepEqual(call.told, ['denied upstream_closed']);
});

test('an app that speaks another protocol is upstream_malformed', async (t) => {
  for (const words of ['HTTP/1.1 400 Bad Request\r\n\r\n', ping()]) {
    const stage = staged(t);
    const call = stage.call();
    await stage.app.say(Buffer.from(words));
    assert.deepEqual(call.told, ['denied upstream_malformed']);
    assert.equal(stage.app.of(Type.goaway).length, 1);
    assert.ok(stage.app.ended);
  }
});

test('what breaks the protocol ends the session with GOAWAY; the next call gets another one', async (t) => {
  const rows: [why: string, said: Buffer][] = [
    ['a pushed stream', pushPromise(1)],
    ['a stream of the app', headers(2, OK)],
    ['a stream that was not begun', headers(9, OK)],
  ];
  for (const [why, said] of rows) {
    const stage = staged(t);
    const call = await stage.begin();
    await stage.app.say(said);
    assert.deepEqual(call.told, ['failed upstream_malformed'], why);
    assert.equal(stage.app.of(Type.goaway).length, 1, why);
    const before = stage.sockets.length;
    stage.call();
    assert.equal(stage.sockets.length, before + 1);
  }
});

test('late frames of many streams that we reset are nobody’s fault', async (t) => {
  const stage = staged(t, { maxConnections: 1 }, 1);
  const running = await stage.begin();
  for (let i = 0; i < 90; i++) stage.call().transport?.abandon();
  for (let i = 0; i < 1000; i++) {
    const call = stage.call();
    await stage.app.say(headers(3 + 2 * (90 + i), OK));
    assert.equal(call.told.at(-1), 'end');
  }
  await stage.app.say(...Array.from({ length: 90 }, (_, at) => headers(3 + 2 * at, OK, false)), data(3, 'late'));
  await stage.app.say(windowUpdate(3, 100), headers(1, OK));
  assert.deepEqual(running.told, ['head 200', 'end']);
  assert.deepEqual(stage.app.of(Type.goaway), []);
});

test('floods of the app end the session', async (t) => {
  for (const flood of [ping(), windowUpdate(0, 1), data(1, '')]) {
    const stage = staged(t);
    const call = await stage.begin();
    await stage.app.say(headers(1, OK, false));
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => flood));
    for (let i = 0; i < 11 && !stage.app.ended; i++) await stage.app.say(many);
    assert.equal(stage.app.of(Type.goaway)[0]?.payload.readUInt32BE(4), Code.enhanceYourCalm);
    assert.deepEqual(call.told, ['head 200', 'failed upstream_closed']);
  }
});

/** Begins as many calls as one session takes, one by one, and cancels each. */
async function cancelMany(stage: AppStage, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const call = stage.call();
    if (call.transport === undefined) await stage.app.say(settings());
    call.transport?.abandon();
  }
  await turns();
}

test('a session with many resets is replaced, and what runs on it goes on', async (t) => {
  const stage = staged(t);
  const running: Call = await stage.begin();
  const first = stage.app;
  await cancelMany(stage, 1000);
  for (const app of stage.sockets) assert.ok(app.of(Type.rstStream).length <= OUR_RESETS.burst + 1);
  assert.equal(stage.framesOf(Type.rstStream).length, 1000);
  assert.ok(stage.sockets.length >= 9);
  await first.say(headers(1, OK, false), data(1, 'done', true));
  assert.deepEqual(running.told, ['head 200', 'body 4', 'end']);
  assert.ok(first.ended, 'a session that was replaced ends with its last stream');
});

test('where sessions with running calls are too many, one rests instead, and is lent again', async (t) => {
  const stage = staged(t, {}, 1);
  for (let i = 1; i <= 4; i++) {
    await stage.begin();
    await cancelMany(stage, OUR_RESETS.burst + 1);
    assert.equal(stage.sockets.length, i);
  }
  const waiting = stage.call();
  await stage.pass(4000);
  assert.equal(waiting.transport, undefined);
  await stage.pass(1000);
  assert.ok(waiting.transport !== undefined || waiting.told.includes('denied upstream_busy'));
  assert.ok(stage.call().transport !== undefined);
  assert.equal(stage.sockets.length, 4);
});
