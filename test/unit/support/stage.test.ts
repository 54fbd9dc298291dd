// The end of a stage fails the test when a sidecar did not end well, and takes everything down nevertheless. The sidecars
// here are small programs that say `serving`, and then do what no sidecar should.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type ExpectedEnd, endsWell } from '../../support/ended-well.ts';
import { repositoryRoot } from '../../support/program.ts';
import { openLane, openStage } from '../../support/stage.ts';

const serving = "console.log(JSON.stringify({ level: 'info', msg: 'serving' })); setInterval(() => {}, 1000);";
const leaves = "process.on('SIGTERM', () => process.exit(0));";
const internalError = "console.log(JSON.stringify({ level: 'error', msg: 'internal error' }));";

async function programOf(t: TestContext, ...lines: string[]): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'stage-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const program = join(dir, 'program.mjs');
  await writeFile(program, `${[...lines, serving].join('\n')}\n`);
  return program;
}

async function play(t: TestContext, lines: string[], expect: ExpectedEnd = {}) {
  const stage = await openStage();
  const program = await programOf(t, ...lines);
  const sidecar = await stage.start({ upstream: 1, program, expect });
  return { stage, sidecar };
}

test('one that lives until it is stopped, exits with 0 and says nothing wrong ends well', async (t) => {
  const { stage } = await play(t, [leaves]);
  await stage.close();
  await stage.close();
  assert.equal(existsSync(stage.dir), false);
});

describe('the end fails for one that', () => {
  const rows: readonly (readonly [what: string, line: string, message: RegExp])[] = [
    ['logs an internal error', internalError, /internal error/],
    ['answers with one', "console.log(JSON.stringify({ level: 'info', reason: 'internal_error' }));", /internal_error/],
    [
      'logs an uncaught exception',
      "console.log(JSON.stringify({ level: 'fatal', msg: 'uncaught exception' }));",
      /uncaught/,
    ],
    ['logs an error that is none of the operator', 'console.log(\'{"level":"error","msg":"other"}\');', /other/],
    ['writes on stderr', "console.error('a warning');", /a warning/],
    ['writes a line that is no JSON', "console.log('no JSON');", /no JSON/],
    ['exits with another code', "process.on('SIGTERM', () => process.exit(3));", /code: 3/],
  ];
  for (const [what, line, message] of rows) {
    test(what, async (t) => {
      const { stage } = await play(t, [line, leaves]);
      await assert.rejects(stage.close(), message);
      assert.equal(existsSync(stage.dir), false);
    });
  }

  test('dies of a signal', async (t) => {
    const { stage } = await play(t, []);
    await assert.rejects(stage.close(), /SIGTERM/);
  });

  test('does not end when it is asked to', async (t) => {
    const { stage, sidecar } = await play(t, ["process.on('SIGTERM', () => {});"]);
    await sidecar.stop('SIGTERM', 50);
    await assert.rejects(stage.close(), /SIGKILL/);
  });

  test('ends by itself, even with code 0', async (t) => {
    const { stage, sidecar } = await play(t, ['setTimeout(() => process.exit(0), 1);']);
    await sidecar.exited;
    await assert.rejects(stage.close(), /before it was asked to, with 0/);
  });

  test('is one of several, of which all are stopped', async (t) => {
    const { stage, sidecar } = await play(t, [internalError, leaves]);
    const other = await stage.start({ upstream: 1, program: await programOf(t, internalError, leaves) });
    await assert.rejects(stage.close(), /2 sidecars did not end well/);
    assert.deepEqual(await Promise.all([sidecar.exited, other.exited]), Array(2).fill({ code: 0, signal: null }));
  });
});

test('what a test expects instead, it says', async (t) => {
  const expect = { exit: { code: 3, signal: null }, stderr: /^a warning\n$/ };
  const { stage } = await play(
    t,
    ["console.error('a warning'); process.on('SIGTERM', () => process.exit(3));"],
    expect,
  );
  await stage.close();
});

test('what a test has stopped is judged the same, and endsWell judges like the end of the stage', async (t) => {
  const { stage, sidecar } = await play(t, [internalError, leaves]);
  assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  await assert.rejects(endsWell(sidecar), /internal error/);
  await assert.rejects(stage.close(), /internal error/);
});

test('a lane is a stage, too', async (t) => {
  const program = await programOf(t, internalError, leaves);
  const lane = await openLane({ forwarder: 'wire', upstream: 1, program });
  assert.equal(lane.defects.length, 1);
  await assert.rejects(lane.close(), /internal error/);
});

describe('in the test runner', () => {
  const imports = (names: string): string =>
    `import { ${names} } from ${JSON.stringify(join(repositoryRoot, 'test/support/stage.ts'))};
     import { test } from 'node:test';`;

  async function runTest(t: TestContext, source: string): Promise<{ status: number | null; stdout: string }> {
    const file = (await programOf(t)).replace('program.mjs', 'played.test.ts');
    await writeFile(file, source);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ['--import', 'tsx', '--test', '--test-reporter=tap', file];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: repositoryRoot,
      encoding: 'utf8',
      env,
      timeout: 60_000,
    });
    return { status, stdout: stdout + stderr };
  }

  test('the test fails, and its other hooks run', async (t) => {
    const program = JSON.stringify(await programOf(t, internalError, leaves));
    const { status, stdout } = await runTest(
      t,
      `${imports('setStage')}
      test('with an internal error', async (t) => {
        const stage = await setStage(t);
        t.after(() => console.log('the app was closed'));
        await stage.start({ upstream: 1, program: ${program} });
      });`,
    );
    assert.equal(status, 1);
    assert.match(stdout, /not ok 1 - with an internal error/);
    assert.match(stdout, /the app was closed/);
  });

  test('a stage that nobody closed fails its file', async (t) => {
    const source = `${imports('openStage')} test('forgets it', async () => { await openStage(); });`;
    const { status, stdout } = await runTest(t, source);
    assert.equal(status, 1);
    assert.match(stdout, /a stage was never closed/);
  });
});
