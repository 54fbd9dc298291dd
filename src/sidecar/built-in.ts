// What answers requests instead of an app beside it: a part of this program. Then there is nothing that could be down.

import type { Clock } from '../exchange.ts';
import type { Forwarder } from '../forward/forward.ts';
import type { Deadlines } from '../net/deadlines.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Apps } from './apps.ts';

export type BuiltIn = {
  /** As the log calls it. */
  readonly name: string;
  readonly create: (given: BuiltInOptions) => Forwarder;
};

export type BuiltInOptions = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly deadlines: Deadlines;
};

export const NO_APPS: Apps = {
  named: [],
  areUp: true,
  refused() {},
  someAcceptsNow: async () => true,
  close() {},
};
