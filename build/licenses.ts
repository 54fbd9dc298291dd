// The licences of the packages inside the bundle, in one file, as their authors ask for. A package without a licence file
// ends the build, unless its package.json names a licence that needs no more than that.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Package = { readonly name: string; readonly version: string; readonly license: string; readonly text: string };

/** `inputs` are paths of bundled files, relative to `root`. */
export function writeLicenses(root: string, file: string, inputs: readonly string[]): void {
  const folders = new Set(inputs.map(folderOf).filter((folder) => folder !== undefined));
  const packages = [...folders].map((folder) => readPackage(join(root, folder)));
  packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = packages.map(
    ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text.trim()}\n`,
  );
  const line = `\n${'-'.repeat(80)}\n\n`;
  writeFileSync(
    file,
    [`This program holds parts of the packages below, under their own licences.\n`, ...parts].join(line),
  );
}

/** The folder of the package that a file belongs to. */
function folderOf(path: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.replace(/^[\w-]+:/, ''))?.[1];
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} ${version} (${license}) has no licence file in ${folder}`);
  return { name, version, license, text: readFileSync(join(folder, file), 'utf8') };
}
