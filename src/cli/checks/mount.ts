// Whether a file stands in a mount that never sees a renewal.

import { frozenMount } from '../../identity/disk/mounts.ts';
import type { Verdict } from './verdict.ts';

/** Nothing where all is well. */
export function checkMount(path: string): Verdict[] {
  const frozen = frozenMount(path);
  if (frozen === undefined) return [];
  const text = `${frozen}, which never sees a renewal (subPath?); mount the whole volume as a directory`;
  return [{ level: 'warning', text }];
}
