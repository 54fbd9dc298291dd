// What a check of the command `check` says: what was looked at, how it is, and what mends it. One line each.

import type { Config } from '../../config/config.ts';

export type Verdict = {
  readonly level: 'ok' | 'warning' | 'failed';
  readonly text: string;
};

/** It throws only for a defect of ours; it serves nothing and changes nothing. */
export type Check = (config: Config) => readonly Verdict[] | Promise<readonly Verdict[]>;
