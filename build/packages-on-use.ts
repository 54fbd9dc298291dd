// Packages that the sources load with `createRequire(import.meta.url)('…')`, at the moment of their use: each becomes a file
// of its own beside the program.

import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import type { Plugin } from 'esbuild';

const LOADED = /createRequire\(import\.meta\.url\)\('([^']+)'\)/g;

export function packagesOnUse(source: string): { readonly plugin: Plugin; entries(): { in: string; out: string }[] } {
  const names = new Set<string>();
  const plugin: Plugin = {
    name: 'packages on use',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (!path.startsWith(source + sep)) return undefined;
        const contents = readFileSync(path, 'utf8').replace(LOADED, (_, name: string) => {
          names.add(name);
          return `createRequire(import.meta.url)('./${name}.cjs')`;
        });
        return { contents, loader: 'ts' };
      });
    },
  };
  return { plugin, entries: () => [...names].map((name) => ({ in: name, out: name })) };
}
