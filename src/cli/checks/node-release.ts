// Whether this Node has the security fixes that a public server needs.

import { isPatched, PATCHED } from '../node-release.ts';
import type { Finding } from './finding.ts';

export function checkRuntime(): Finding[] {
  if (isPatched(process.version)) return [{ level: 'ok', text: `Node ${process.version}` }];
  return [{ level: 'warning', text: `Node ${process.version} lacks security fixes for HTTP servers; use ${PATCHED}` }];
}
