// Whether a file is in a mount that never sees renewals.

import { frozenMount } from '../../identity/disk/mounts.ts';
import type { Finding } from './finding.ts';

/** Nothing if all is well. */
export function checkMount(path: string): Finding[] {
  const text = frozenMount(path);
  return text === undefined ? [] : [{ level: 'warning', text }];
}
