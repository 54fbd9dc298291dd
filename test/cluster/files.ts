// Small questions to the file system, asked in several places.

import { createHash } from 'node:crypto';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Where the program is, on the PATH unless its name is a path; or undefined. */
export async function programOnPath(name: string): Promise<string | undefined> {
  if (isAbsolute(name)) return (await isThere(name)) ? name : undefined;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name);
    if (folder !== '' && (await isThere(file))) return file;
  }
  return undefined;
}

/** Of what stands in the files and, for folders, in all files beneath them. */
export async function hashOf(root: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const whole = join(root, path);
    const isFolder = (await stat(whole)).isDirectory();
    const entries = isFolder ? await readdir(whole, { recursive: true, withFileTypes: true }) : [];
    const beneath = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of isFolder ? beneath.sort() : [whole])
      hash
        .update(file.slice(root.length))
        .update('\0')
        .update(await readFile(file))
        .update('\0');
  }
  return hash.digest('hex').slice(0, 12);
}
