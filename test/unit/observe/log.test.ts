// The log on its way to stdout: what was logged is written before the end, soon where there is little of it, and whole lines only;
// what nobody reads is dropped, and each line of it counted.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { written } from '../../../src/observe/log-writer.ts';
import { eventually } from '../../support/poll.ts';

const log = JSON.stringify(new URL('../../../src/observe/log.ts', import.meta.url).href);
const given = (program: string): string[] => [
  ...['--import', 'tsx', '--input-type=module', '--eval'],
  `import { createLog, JsonFields } from ${log};
   let dropped = 0;
   const { log, end } = createLog({ level: 'info', format: 'json', onDropped: () => { dropped += 1; } });
   ${program}`,
];

async function printed(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, given(program), { maxBuffer: 64 << 20 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg);
}

test('a line that came while a large one was being written is written before the end', async () => {
  const program = `
    log.info({ large: 'x'.repeat(50_000) }, 'first');
    log.info('second');
    await end();
    log.info('third');
    process.exit(0);`;
  assert.deepEqual(await printed(program), ['first', 'second']);
});

test('each of many lines is written once, in their order', async () => {
  const program = `
    for (let i = 0; i < 20_000; i++) log.info(new JsonFields('"i":1'), String(i));
    await end();
    process.exit(0);`;
  assert.deepEqual(
    await printed(program),
    Array.from({ length: 20_000 }, (_, i) => String(i)),
  );
});

test('the end waits for a slow reader, as long as that reads, and five seconds at the most', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    t.mock.timers.tick(ms);
    await new Promise((resolve) => void setImmediate(resolve));
  };
  const begin = () => {
    nowMs = 0;
    const state = { ended: false, over: false };
    const end = (): void => {
      state.ended = true;
    };
    const stream = Object.assign(new EventEmitter(), { end });
    void written(stream, () => nowMs).then(() => {
      state.over = true;
    });
    assert.ok(state.ended);
    return { stream, state };
  };
  const silent = begin();
  await pass(999);
  assert.equal(silent.state.over, false);
  await pass(1);
  assert.equal(silent.state.over, true);

  const slow = begin();
  for (let i = 0; i < 5; i++) {
    await pass(900);
    slow.stream.emit('write', 1);
  }
  assert.equal(slow.state.over, false);
  slow.stream.emit('close');
  await pass(0);
  assert.equal(slow.state.over, true);

  const endless = begin();
  for (let i = 0; i < 7; i++) {
    await pass(800);
    endless.stream.emit('write', 1);
  }
  assert.equal(endless.state.over, true);

  // What was written during a standstill is told of after its timer.
  const stalled = begin();
  const passed = pass(1000);
  stalled.stream.emit('write', 1);
  await passed;
  await pass(900);
  assert.equal(stalled.state.over, false);
});

test('a single line is written without another one, and without an end', async (t) => {
  const child = spawn(process.execPath, given(`log.info('alone'); setInterval(() => {}, 1000);`));
  t.after(() => child.kill('SIGKILL'));
  const [text] = await once(child.stdout, 'data');
  assert.equal(JSON.parse(String(text)).msg, 'alone');
});

test('lines that nobody reads are dropped beyond 8 MiB, and counted one by one', async (t) => {
  const lines = 30_000;
  const program = `
    for (let i = 0; i < ${lines}; i++) {
      log.info(new JsonFields('"text":"' + 'x'.repeat(1000) + '"'), 'line');
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.stderr.write(String(dropped));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, given(program));
  t.after(() => child.kill('SIGKILL'));
  const [text] = await once(child.stderr, 'data');
  const dropped = Number(String(text));
  let rest = '';
  child.stdout.on('data', (chunk) => {
    rest += chunk;
  });
  const kept = lines - dropped;
  await eventually(() => rest.split('\n').length > kept, { what: `${kept} lines` });
  const written = rest.split('\n').slice(0, -1);
  assert.equal(written.length, kept);
  for (const line of written) assert.equal(JSON.parse(line).msg, 'line');
  assert.ok(rest.length > 8_000_000 && rest.length < 9 << 20, `${rest.length} bytes were kept`);
});
