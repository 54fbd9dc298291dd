// Whether a file stands in a mount that never sees a renewal.

import { frozenMount } from '../../identity/disk/mounts.ts';
import type { Verdict } from './verdict.ts';

/** Nothing where all is well. */
export function checkMount(path: string): Verdict[] {
  const text = frozenMount(path);
  return text === undefined ? [] : [{ level: 'warning', text }];
}
