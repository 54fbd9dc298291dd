// How many questions the app gets, whoever asks: one for all who ask within half a second, and none for those who have left.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { createProbes } from '../../../../src/admin/probes/probes.ts';
import { parseProbe } from '../../../../src/config/probe.ts';
import { startApp } from '../../../support/app.ts';
import { startHeldApp } from '../../../support/held-app.ts';
import { eventually } from '../../../support/poll.ts';

const stay = (): void => {};

describe('the probes of the admin port', () => {
  test('are those that are declared, and no others', async (t) => {
    const app = await startApp(t, (_, response) => response.end());
    const { port } = app;
    const probes = createProbes([parseProbe(`http:${port}/a?b=1`), parseProbe(`http:${port}`)], () => 0);
    assert.deepEqual(probes.paths, [`/probe/http/${port}/a?b=1`, `/probe/http/${port}`]);
    for (const path of [`/probe/http/${port}`, `/probe/http/${port}/`, `/probe/http/${port}/a?b=1`]) {
      assert.equal(probes.has(path), true, path);
      assert.equal((await probes.ask(path, stay)).status, 200);
    }
    for (const path of ['/probe', '/a', '/a?b=2', '/a?b=1&c', '/A?b=1', '/../a?b=1', '?b=1'].map(
      (rest) => `/probe/http/${port}${rest}`,
    ))
      assert.equal(probes.has(path), false, path);
    assert.equal(probes.has(`/probe/tcp/${port}`), false);
    assert.equal(probes.has('/probe'), false);
    await assert.rejects(probes.ask('/probe', stay), /no probe/);
  });

  test('ask the app once for all who ask within half a second, and anew after it', async (t) => {
    let asked = 0;
    const app = await startApp(t, (_, response) => response.writeHead(++asked > 1 ? 503 : 200).end());
    let nowMs = 0;
    const path = `/probe/http/${app.port}/`;
    const probes = createProbes([parseProbe(`http:${app.port}/`)], () => nowMs);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => probes.ask(path, stay)));
    assert.deepEqual(new Set(verdicts.map(({ status }) => status)), new Set([200]));
    nowMs = 499;
    assert.equal((await probes.ask(path, stay)).status, 200);
    assert.equal(asked, 1);
    nowMs = 500;
    assert.equal((await probes.ask(path, stay)).status, 503);
    assert.equal(asked, 2);
  });

  test('keep a verdict for those who come after somebody who had it', async (t) => {
    let asked = 0;
    const app = await startApp(t, (_, response) => {
      asked++;
      response.end();
    });
    const path = `/probe/http/${app.port}/`;
    const probes = createProbes([parseProbe(`http:${app.port}/`)], () => 0);
    for (let i = 0; i < 3; i++) {
      let leave = stay;
      await probes.ask(path, (left) => {
        leave = left;
      });
      leave();
    }
    assert.equal(asked, 1);
  });

  test('do not let those who come later wait for an app that hangs', async (t) => {
    const app = await startHeldApp(t);
    let nowMs = 0;
    const path = `/probe/http/${app.port}/`;
    const probes = createProbes([parseProbe(`http:${app.port}/`)], () => nowMs);
    const first = probes.ask(path, stay);
    await app.waitFor(1);
    nowMs = 1000;
    const second = probes.ask(path, stay);
    (await app.waitFor(2)).response.end();
    assert.equal((await second).status, 200);
    app.kept[0]?.response.writeHead(500).end();
    assert.equal((await first).status, 500);
  });

  test('ask no more often for those who ask and leave', async (t) => {
    const app = await startHeldApp(t);
    const path = `/probe/http/${app.port}/`;
    const probes = createProbes([parseProbe(`http:${app.port}/`)], () => 0);
    const hasty = Array.from({ length: 20 }, () => probes.ask(path, (left) => setImmediate(left)));
    await app.waitFor(1);
    const patient = probes.ask(path, stay);
    app.kept[0]?.response.end();
    for (const verdict of [...hasty, patient]) assert.equal((await verdict).status, 200);
    assert.equal(app.kept.length, 1);
  });

  test('give a question up when the last one who waits for it has left', async (t) => {
    const open: ServerResponse[] = [];
    const app = await startApp(t, (_, response) => void open.push(response));
    const path = `/probe/http/${app.port}/`;
    const probes = createProbes([parseProbe(`http:${app.port}/`)], () => 0);
    const leaving: (() => void)[] = [];
    const verdicts = [1, 2].map(() => probes.ask(path, (left) => void leaving.push(left)));
    await eventually(() => open.length === 1, { what: 'the question' });
    leaving[0]?.();
    assert.equal(open[0]?.destroyed, false);
    leaving[1]?.();
    await eventually(() => open[0]?.destroyed, { what: 'the end of the question' });
    for (const verdict of verdicts) assert.equal((await verdict).status, 502);
    // Who comes now is not told of a question that was given up.
    const next = probes.ask(path, stay);
    await eventually(() => open.length === 2, { what: 'another question' });
    open[1]?.end();
    assert.equal((await next).status, 200);
  });
});
