// How the bundle gets the modules that Node brings along: by process.getBuiltinModule, which loads what is asked for. An
// `import` of node:http reads all its exports, the lazy ones too, and so loads undici: 11 MiB and 30 ms on Node 22 and newer.

import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules as allBuiltins } from 'node:module';
import { join, sep } from 'node:path';
import type { Plugin } from 'esbuild';

const IMPORT = /^import (?!type )(\w+)?(?:, )?(?:\{([^}]*)\})? from 'node:([^']+)'/gm;

/** Our sources, under `source`, get exactly the names that they import; packages get the whole module. */
export function builtinModules(source: string): Plugin {
  const names = namesImported(source);
  const builtin = new RegExp(`^(?:node:)?(?:${allBuiltins.join('|')})$`);
  return {
    name: 'builtin modules',
    setup(build) {
      build.onResolve({ filter: builtin }, ({ path, importer, kind }) => ({
        path: path.replace('node:', ''),
        namespace: importer.startsWith(source + sep)
          ? 'builtin-names'
          : kind === 'dynamic-import'
            ? 'builtin-values'
            : 'builtin',
      }));
      build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule('node:${path}');`,
      }));
      // A chunk of CommonJS has a default export only, and what a package imports while it runs is a chunk.
      build.onLoad({ filter: /.*/, namespace: 'builtin-values' }, ({ path }) => ({
        contents: namedModule(path, valuesOf(path)),
      }));
      build.onLoad({ filter: /.*/, namespace: 'builtin-names' }, ({ path }) => ({
        contents: namedModule(path, [...(names.get(path) ?? [])]),
      }));
    },
  };
}

/** The names of what is there without being loaded first. */
function valuesOf(path: string): string[] {
  const properties = Object.getOwnPropertyDescriptors(process.getBuiltinModule(path) ?? {});
  return Object.entries<PropertyDescriptor>(properties).flatMap(([name, { get }]) => (get === undefined ? [name] : []));
}

function namedModule(path: string, names: readonly string[]): string {
  const named = names.filter((name) => name !== 'default').join(', ');
  return [
    `const builtin = process.getBuiltinModule('node:${path}');`,
    `export const { ${named} } = builtin;`,
    names.includes('default') ? 'export default builtin;' : '',
  ].join('\n');
}

/** By module; a default import counts as the name `default`. */
function namesImported(source: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const [, whole, list = '', module = ''] of readFileSync(join(source, file), 'utf8').matchAll(IMPORT)) {
      const names = found.get(module) ?? new Set();
      found.set(module, names);
      if (whole !== undefined) names.add('default');
      for (const name of list.split(',').map((text) => text.trim()))
        if (name !== '' && !name.startsWith('type ')) names.add(name.split(' as ')[0] ?? name);
    }
  }
  return found;
}
