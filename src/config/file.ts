// The file that --config names: one flat mapping of option names, in YAML or JSON (which is YAML too).

import { createRequire } from 'node:module';
import { errorCode } from '../errors.ts';
import { OddFile, readSmallFile } from '../files.ts';
import { isList, OPTION_NAMES, type OptionName } from './options.ts';

/** Option names to text. What is wrong with the file is added to `problems`; an unreadable file gives no values. */
export function readConfigFile(path: string, problems: string[]): Record<string, string | string[]> {
  const text = readText(path, problems);
  if (text === undefined) return {};
  // At its first use: most sidecars have no file, and the parser takes 1 MiB.
  const { parseDocument } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const document = parseDocument(text, { uniqueKeys: true });
  const [invalid] = document.errors;
  if (invalid !== undefined) {
    problems.push(`--config: ${path} is not valid YAML: ${invalid.message.split('\n')[0]?.replace(/:$/, '')}`);
    return {};
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (error) {
    // Aliases are resolved only here: an undefined one, or too many of them, throws.
    problems.push(`--config: ${path} is not valid YAML: ${error instanceof Error ? error.message : error}`);
    return {};
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`--config: ${path} must hold a mapping of options, as "listen: :8443"`);
    return {};
  }
  const values: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(content)) {
    // Editors of JSON name the schema in the file itself.
    if (key === '$schema') continue;
    if (!(OPTION_NAMES as string[]).includes(key))
      problems.push(`--config: ${path}: unknown option "${key}"${didYouMean(key)}`);
    else if (Array.isArray(value) && isList(key as OptionName) && value.every((item) => typeof item !== 'object'))
      values[key] = value.map(String);
    else if (typeof value === 'object') problems.push(`--config: ${path}: "${key}" must be a plain value`);
    else values[key] = String(value);
  }
  return values;
}

function readText(path: string, problems: string[]): string | undefined {
  try {
    return readSmallFile(path).toString('utf8');
  } catch (error) {
    const why = error instanceof OddFile ? `${path} ${error.what}` : `cannot read ${path} (${errorCode(error)})`;
    problems.push(`--config: ${why}`);
    return undefined;
  }
}

/** A hint with the option name nearest to a mistyped one, or ''. */
export function didYouMean(name: string, prefix = ''): string {
  const near = nearest(OPTION_NAMES, name) ?? OPTION_NAMES.find((option) => name.length > 3 && option.includes(name));
  return near === undefined ? '' : `; did you mean ${prefix}${near}?`;
}

/** The option, `config` included, that is a letter or two away. */
export function nearestOption(name: string): string | undefined {
  return nearest([...OPTION_NAMES, 'config'], name);
}

function nearest<N extends string>(names: readonly N[], name: string): N | undefined {
  return names.filter((option) => distance(option, name) <= 2).sort((a, b) => distance(a, name) - distance(b, name))[0];
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] as number;
}
