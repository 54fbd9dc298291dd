// What a check of the command `check` finds: what was looked at, how it is, and what to do about it. One line each.

import type { Config } from '../../config/config.ts';

export type Finding = {
  readonly level: 'ok' | 'warning' | 'failed';
  readonly text: string;
  /** The process id of a sidecar that runs already, on a port of this configuration. */
  readonly running?: number;
};

/** Throws only for a defect of ours; serves nothing and changes nothing. */
export type Check = (config: Config) => readonly Finding[] | Promise<readonly Finding[]>;
