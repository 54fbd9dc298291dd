// Why a file may not be read: its owner and mode, who we are, and what usually helps.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The end of a sentence about EACCES; '' if nothing is known. */
export function whyUnreadable(path: string): string {
  const ours = process.getuid?.();
  if (ours === undefined) return '';
  const place = closedPlace(path);
  try {
    const { mode, uid, gid } = statSync(place);
    const octal = (mode & 0o7777).toString(8).padStart(4, '0');
    const what = place === path ? 'it is' : `the directory ${place} is`;
    const advice =
      "on Kubernetes set the volume's defaultMode to 0444 (only the sidecar mounts it), or the Pod's fsGroup";
    return `: ${what} of uid ${uid}, gid ${gid}, mode ${octal}, and this process is uid ${ours}, gid ${process.getgid?.()}; ${advice}`;
  } catch {
    return '';
  }
}

/** The file itself, or the first directory above it that can be looked at but not entered. */
function closedPlace(path: string): string {
  let place = path;
  for (let above = dirname(place); above !== place; above = dirname(place)) {
    if (isEnterable(above)) return place;
    place = above;
  }
  return place;
}

function isEnterable(directory: string): boolean {
  try {
    accessSync(directory, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
