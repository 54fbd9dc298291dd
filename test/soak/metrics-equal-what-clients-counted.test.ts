// As in test/integration, over a hundred thousand requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertCounted } from '../support/counted-equals.ts';
import { newTally, sendCounted, startCountedApp } from '../support/counted-load.ts';
import { endsWell } from '../support/ended-well.ts';
import { setStage } from '../support/stage.ts';

const REQUESTS = 100_000;

test(`the metrics of ${REQUESTS} requests are those that their clients counted`, async (t) => {
  const stage = await setStage(t);
  const app = await startCountedApp(t);
  const sidecar = await stage.start({ upstream: app.port, args: ['--access-log', 'off'] });
  const tally = newTally();
  await sendCounted({ port: sidecar.port, ca: stage.authority.pem, app }, REQUESTS, tally);
  const sent = [...tally.requests.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(sent, REQUESTS);
  await assertCounted(sidecar, tally);
  await endsWell(sidecar);
});
