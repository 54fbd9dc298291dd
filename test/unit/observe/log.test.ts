// The end of the log: what was logged is written, also what came while a write was under way.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const program = `
  import { createLog } from ${JSON.stringify(new URL('../../../src/observe/log.ts', import.meta.url).href)};
  const { log, end } = createLog({ level: 'info', format: 'json', onDropped() {} });
  log.info({ large: 'x'.repeat(5000) }, 'first');
  log.info('second');
  await end();
  process.exit(0);
`;

test('a line that came while a large one was being written is written before the end', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--input-type=module',
    '--eval',
    program,
  ]);
  const messages = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg);
  assert.deepEqual(messages, ['first', 'second']);
});
