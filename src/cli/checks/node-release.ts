// Whether this Node carries the fixes that a server in the open needs.

import { isPatched, PATCHED } from '../node-release.ts';
import type { Verdict } from './verdict.ts';

export function checkRuntime(): Verdict[] {
  if (isPatched(process.version)) return [{ level: 'ok', text: `Node ${process.version}` }];
  return [{ level: 'warning', text: `Node ${process.version} lacks security fixes for HTTP servers; use ${PATCHED}` }];
}
