// Finds mounts that never see a renewal: the kubelet mounts a `subPath` (and a container engine a single file) as the
// inode that was there at the start, and a swap of the volume makes new ones.
// https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath

import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Directories of the kubelet's AtomicWriter, as `..2026_11_21_09_05_03.123456789`, and its subPath mounts. */
const FROZEN_ROOT = /\/\.\.\d{4}_\d\d_\d\d_|\/volume-subpaths\//;

type Mount = { readonly root: string; readonly point: string };

/** Why the file stays as it is, and what to do; undefined where it does not. */
export function frozenMount(path: string): string | undefined {
  try {
    const mount = judgeMounts(readFileSync('/proc/self/mountinfo', 'utf8'), placesOf(path));
    if (mount === undefined) return undefined;
    return `${mount}, which never sees a renewal (subPath?); mount the whole volume as a directory`;
  } catch {
    // No /proc: not Linux, or hidden. Nothing is known.
    return undefined;
  }
}

/** The mount, as a phrase. `places`: absolute paths of the file, with and without its links resolved. Format: proc_pid_mountinfo(5). */
export function judgeMounts(mountinfo: string, places: readonly string[]): string | undefined {
  const mounts = mountinfo.split('\n').map(parseMount);
  for (const place of places) {
    const mount = mounts
      .filter((one): one is Mount => one !== undefined && isWithin(place, one.point))
      .sort((a, b) => a.point.length - b.point.length)
      .at(-1);
    if (mount?.point === place) return `${place} is mounted as a single file`;
    if (mount !== undefined && FROZEN_ROOT.test(mount.root)) return `${mount.point} is a subPath mount`;
  }
  return undefined;
}

function parseMount(line: string): Mount | undefined {
  const [, , , root, point] = line.split(' ');
  return root === undefined || point === undefined ? undefined : { root: unescaped(root), point: unescaped(point) };
}

/** Blanks and backslashes are written as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function placesOf(path: string): string[] {
  const real = (of: string): string => {
    try {
      return realpathSync(of);
    } catch {
      return resolve(of);
    }
  };
  return [join(real(dirname(path)), basename(path)), real(path)];
}
