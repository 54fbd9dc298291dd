// Which tests of a run were skipped, and why, read from the TAP that node's runner writes.

export type Skipped = { readonly test: string; readonly reason: string };

// What `--test-name-pattern` leaves out, node 20 reports as skipped, and later ones not at all.
const unchosen = 'test name does not match pattern';

/** Tests marked `todo` count, too: node does not let them fail. */
export function skippedIn(tap: string): Skipped[] {
  return tap
    .split('\n')
    .map((line) => /^\s*(?:not )?ok \d+ - (.*?) # (?:SKIP|TODO)(?: (.*))?$/.exec(line))
    .flatMap((found) => (found === null ? [] : [{ test: found[1] ?? '', reason: found[2] || 'no reason given' }]))
    .filter(({ reason }) => reason !== unchosen);
}

/** `skipped: none`, or how many, and each reason with its tests. */
export function skippedLines(skipped: readonly Skipped[]): string {
  const reasons = [...new Set(skipped.map(({ reason }) => reason))];
  const lines = reasons.map((why) => {
    const tests = skipped.filter(({ reason }) => reason === why).map(({ test }) => `"${test}"`);
    return `\n  ${why} (${tests.join(', ')})`;
  });
  return skipped.length === 0 ? 'skipped: none' : `skipped: ${skipped.length}${lines.join('')}`;
}
