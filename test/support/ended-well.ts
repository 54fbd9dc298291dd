// What every run of the sidecar must show at its end, whatever its test was about: it lived until it was asked to end, it
// exited as meant, and nothing that it said tells of a defect of ours.

import assert from 'node:assert/strict';
import type { LogLine } from './log-lines.ts';
import type { Exit } from './program.ts';
import type { Sidecar } from './sidecar.ts';

/** Errors that tell an operator of files, dates and settings. Any other line of this level is a defect. */
const operatorsErrors: readonly unknown[] = [
  'certificate not reloaded; the old one is still served',
  'client CA not reloaded; the old one stays',
  'configuration not reloaded; the old settings stay',
  'the certificate that is served is outside its dates',
];

export type ExpectedEnd = {
  /** Default: code 0, no signal. */
  readonly exit?: Exit | undefined;
  /** What it may say on stderr; default nothing at all. */
  readonly stderr?: RegExp | undefined;
};

/** What it has said, so far, that tells of a defect. */
export function defectsOf({ logs, otherLines, stderr }: Sidecar, allowed?: RegExp): string[] {
  const lines = logs.filter(isDefect).map((line) => JSON.stringify(line));
  return [...lines, ...otherLines, ...(stderr === '' || allowed?.test(stderr) ? [] : [stderr])];
}

/** Stops the sidecar as Kubernetes does (unless the test has stopped it already), and asserts that it ends well. */
export async function endsWell(sidecar: Sidecar, expected: ExpectedEnd = {}): Promise<void> {
  const exit = await sidecar.end();
  assert.equal(sidecar.endedByItself, false, `it ended before it was asked to, with ${exit.signal ?? exit.code}`);
  assert.deepEqual(exit, expected.exit ?? { code: 0, signal: null });
  assert.deepEqual(defectsOf(sidecar, expected.stderr), []);
}

function isDefect({ level, msg, reason }: LogLine): boolean {
  if (msg === 'internal error' || reason === 'internal_error' || /uncaught/i.test(`${msg}`)) return true;
  return (level === 'error' || level === 'fatal') && !operatorsErrors.includes(msg);
}
