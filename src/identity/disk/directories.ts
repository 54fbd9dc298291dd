// Which directories decide what a path leads to: that of the file, and those of every link on the way, so that pointing
// a link elsewhere is noticed. In place of what does not exist it is the nearest directory that does.

import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

/** The kernel's limit of links in a path (ELOOP). */
const MAX_LINKS = 40;

/** Absolute and existing, without repetition. */
export function directoriesOnTheWay(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) walk(resolve(path), found, MAX_LINKS);
  return [...found].sort();
}

function walk(path: string, found: Set<string>, linksLeft: number): void {
  const parts = path.split(sep).slice(1);
  let at: string = sep;
  for (let i = 0; i < parts.length; i++) {
    const name = parts[i] as string;
    const next = join(at, name);
    const target = linkTarget(next);
    if (target === undefined) {
      if (i === parts.length - 1 || !isDirectory(next)) return void found.add(at);
      at = next;
      continue;
    }
    found.add(at);
    // The kubelet never changes the directory that ..data names: it makes another one and changes the link.
    if (name === '..data' || linksLeft === 0) return;
    return walk(join(resolve(at, target), ...parts.slice(i + 1)), found, linksLeft - 1);
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Differs when another directory has taken its place. */
export function fingerprintOf(directory: string): string {
  try {
    const { dev, ino } = statSync(directory);
    return `${directory} ${dev}:${ino}`;
  } catch {
    return directory;
  }
}
