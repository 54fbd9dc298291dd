// `npm run build`: the program as it is shipped. dist/proxy.js starts it; beside it lie the chunks that esbuild makes of the
// rest, the packages that are loaded only when they are used, source maps, and the licences of everything inside. Nothing is
// minified, so that the stack of an internal error can be read as it stands.

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { builtinModules } from './builtins.ts';
import { leftOut } from './left-out.ts';
import { writeLicenses } from './licenses.ts';
import { packagesOnUse } from './packages-on-use.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const target = join(root, 'dist');

const common = {
  absWorkingDir: root,
  outdir: target,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  // They stand in LICENSES.txt, whole.
  legalComments: 'none',
  metafile: true,
  define: { BUILT_VERSION: JSON.stringify(versionOf(join(root, 'package.json'))) },
  logLevel: 'warning',
} as const satisfies BuildOptions;

function versionOf(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

async function main(): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  const onUse = packagesOnUse(source);
  const program = await build({
    ...common,
    entryPoints: [join(source, 'proxy.ts')],
    format: 'esm',
    splitting: true,
    // Of what is written as modules, only what is used gets in: of OpenTelemetry a fifth.
    mainFields: ['module', 'main'],
    plugins: [onUse.plugin, builtinModules(source), leftOut],
  });
  const used = await build({ ...common, entryPoints: onUse.entries(), format: 'cjs', outExtension: { '.js': '.cjs' } });
  writeLicenses(root, join(target, 'LICENSES.txt'), [...inputsOf(program), ...inputsOf(used)]);
}

/** The files of which something got into the output. */
function inputsOf({ metafile }: { readonly metafile: Metafile }): string[] {
  return Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
}

await main();
