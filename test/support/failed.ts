// In which files tests failed, read from the TAP that node's runner writes.

/**
 * Of `files`, as they were given to the runner; undefined: a test failed, and it is not known where. A test is of the file that
 * has its line; a file that ended by itself is a test of its own name.
 */
export function failedFilesIn(tap: string, files: readonly string[]): string[] | undefined {
  const failed = new Set<string>();
  for (const [, name = '', facts = ''] of tap.matchAll(/^ *not ok \d+ - (.*)\n *---\n([\s\S]*?)\n *\.\.\./gm)) {
    // A # of a name is escaped.
    if (/ # (?:TODO|SKIP)\b/.test(name)) continue;
    const place = /^ *location: '(.*):\d+:\d+'$/m.exec(facts)?.[1] ?? name;
    const file = files.find((given) => place === given || place.endsWith(`/${given}`));
    if (file === undefined) return undefined;
    failed.add(file);
  }
  return [...failed];
}
