// What the kubelet does to a mounted Secret, step by step as its AtomicWriter does it (kubernetes, pkg/volume/util/atomic_writer.go),
// in the order that it has had since the user-visible links come after the swap. Links and modes are the real ones.
// Not here: ownership, SELinux labels, keys with a slash, and what only Windows needs.

import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';

const dataLink = '..data';
const newDataLink = '..data_tmp';

export interface SecretVolume {
  readonly dir: string;
  path(name: string): string;
  /**
   * Replaces the whole content. Names that are not in `files` disappear, as they do from a Secret.
   * Resolves with true when the volume was swapped, false when it held this content already.
   */
  write(files: Readonly<Record<string, string | Buffer>>): Promise<boolean>;
}

export type SecretVolumeOptions = {
  /** The Secret's `defaultMode`; default 0644. */
  mode?: number;
};

/** `dir` is made when it is not there; the volume is empty until the first write. */
export async function createSecretVolume(dir: string, options: SecretVolumeOptions = {}): Promise<SecretVolume> {
  await mkdir(dir, { recursive: true });
  const mode = options.mode ?? 0o644;
  return { dir, path: (name) => join(dir, name), write: (files) => write(dir, files, mode) };
}

async function write(dir: string, files: Readonly<Record<string, string | Buffer>>, mode: number): Promise<boolean> {
  // 1: the names are checked
  for (const name of Object.keys(files)) checkName(name);

  // 2: the current timestamped directory is what ..data points at
  const oldName = await targetOf(join(dir, dataLink));

  // 3 and 4: what is to be removed; nothing is done when nothing changed
  const stale = oldName === undefined ? [] : (await readdir(join(dir, oldName))).filter((name) => !(name in files));
  if (oldName !== undefined && stale.length === 0 && (await holds(join(dir, oldName), files))) return false;

  // 5: a new timestamped directory, 0755 whatever the umask
  const newDir = await mkdtemp(join(dir, timestamp(new Date())));
  await chmod(newDir, 0o755);

  // 6: the files; chmod for the same reason
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(newDir, name), content, { mode });
    await chmod(join(newDir, name), mode);
  }

  // 7 and 8: ..data_tmp points at it, and is renamed over ..data: the swap
  await symlink(basename(newDir), join(dir, newDataLink));
  await rename(join(dir, newDataLink), join(dir, dataLink));

  // 9: user-visible links for new names, 10: none for removed ones
  for (const name of Object.keys(files)) {
    if ((await targetOf(join(dir, name))) === undefined) await symlink(join(dataLink, name), join(dir, name));
  }
  for (const name of stale) await rm(join(dir, name));

  // 11: the old directory goes, and with it the old files, whoever has them open
  if (oldName !== undefined) await rm(join(dir, oldName), { recursive: true });
  return true;
}

function checkName(name: string): void {
  if (name === '' || name.includes('/') || name.startsWith('..')) {
    throw new Error(`not a key of a Secret: ${JSON.stringify(name)}`);
  }
}

// `..2026_11_21_09_05_03.` and then mkdtemp's six characters, where Go puts up to ten digits.
function timestamp(now: Date): string {
  return `..${now.toISOString().slice(0, 19).replace(/[-T:]/g, '_')}.`;
}

async function targetOf(link: string): Promise<string | undefined> {
  return readlink(link).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function holds(dir: string, files: Readonly<Record<string, string | Buffer>>): Promise<boolean> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    const there = await lstat(path).then(
      () => true,
      () => false,
    );
    if (!there || !(await readFile(path)).equals(Buffer.from(content))) return false;
  }
  return true;
}
