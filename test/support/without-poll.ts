// The environment of a program whose certificate files are looked at for an event or a signal alone: the slow poll behind
// them (src/identity/watch.ts) never comes.

import { POLL_MS } from '../../src/identity/watch.ts';

const NEVER_MS = 2 ** 31 - 1;
const code = `const real = globalThis.setInterval;
globalThis.setInterval = (run, ms, ...rest) => real(run, ms === ${POLL_MS} ? ${NEVER_MS} : ms, ...rest);`;

export const withoutPoll = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
} as const;
