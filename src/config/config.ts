// One frozen configuration out of flags, environment, file and defaults, in this order of precedence; all problems are
// reported at once. Environment and arguments are given, never read here. Whether files and ports exist is checked elsewhere.

import { ConfigError } from '../errors.ts';
import { contradictions } from './contradictions.ts';
import { readConfigFile } from './file.ts';
import { type Given, type GivenOptions, SOURCES, type Source } from './given.ts';
import type { ListOption, Option } from './option.ts';
import { isList, OPTION_NAMES, OPTIONS, type OptionName, variableOf } from './options.ts';
import { Malformed } from './parse.ts';
import { warningsOf } from './warnings.ts';

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type ValueOf<O> = O extends ListOption<infer T> ? readonly T[] : O extends Option<infer T> ? T : never;
export type Config = { readonly [Name in OptionName as Camel<Name>]: ValueOf<(typeof OPTIONS)[Name]> };

export type Environment = Readonly<Record<string, string | undefined>>;

/** What one source gave: text by option name, several of them where an option is a list. */
export type Flags = Readonly<Partial<Record<string, string | readonly string[]>>>;

export type Loaded = {
  readonly config: Config;
  readonly given: GivenOptions;
  /** What is probably not meant, one line each. */
  readonly warnings: readonly string[];
  /** The file of --config. */
  readonly file: string | undefined;
};

/**
 * Throws a ConfigError that lists every problem, each with the option, where the value came from and what it takes.
 * `configFile` is the path that --config gave, if any; `argumentProblems` are reported with the rest. `defaults` stand for
 * those of the table.
 */
export function loadConfig(
  flags: Flags,
  env: Environment,
  configFile: string | undefined,
  argumentProblems: readonly string[] = [],
  defaults: Flags = {},
): Loaded {
  const problems = [...argumentProblems];
  if (configFile === '') problems.push(emptyProblem('config', variableOf('config')));
  const file = configFile ? readConfigFile(configFile, problems) : {};
  const values: Record<string, unknown> = {};
  const given: Record<string, Given> = {};
  for (const name of OPTION_NAMES) {
    const found = find(name, { flags, env, file, configFile, defaults });
    const texts = isList(name) ? members(name, found, problems) : [String(found.text)];
    const read = texts.map((text) => parse(name, text, found, problems));
    values[camel(name)] = isList(name) ? Object.freeze(read) : read[0];
    given[name] = { value: isList(name) ? texts : String(found.text), from: found.from };
  }
  if (dropStrayKeys(values, given)) given.key = { value: [], from: 'default' };
  const config = Object.freeze(values) as Config;
  if (problems.length === 0) problems.push(...pairProblems(config), ...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, given: given as GivenOptions, warnings: warningsOf(config, env), file: configFile };
}

type Found = { readonly text: string | readonly string[]; readonly from: Source; readonly origin: string };
type Places = {
  readonly flags: Flags;
  readonly env: Environment;
  readonly file: Flags;
  readonly configFile: string | undefined;
  readonly defaults: Flags;
};

function find(name: OptionName, { flags, env, file, configFile = '', defaults }: Places): Found {
  const variable = variableOf(name);
  const candidates: readonly [string | readonly string[] | undefined, Source, origin: string][] = [
    [flags[name], 'flag', 'the flag'],
    [env[variable], 'environment', variable],
    [file[name], 'file', configFile],
  ];
  const found = candidates.find(([text]) => text !== undefined);
  const [text = defaults[name] ?? OPTIONS[name].default, from, origin] = found ?? [
    undefined,
    'default' as const,
    'the default',
  ];
  return { text, from, origin };
}

function parse(name: OptionName, text: string, { from, origin }: Found, problems: string[]): unknown {
  const option: Option<unknown> = OPTIONS[name];
  if (text === '' && from !== 'default') return void problems.push(emptyProblem(name, origin));
  try {
    return option.parse(text);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const shown = option.shown?.(text) ?? text;
    return void problems.push(`--${name} takes ${error.message}; ${origin} says "${shown}"`);
  }
}

/** An empty value must not stand for "off": it is what a template leaves where its own value is missing. */
function emptyProblem(name: string, origin: string): string {
  return `--${name} has an empty value in ${origin}; give it one, or leave the option out`;
}

/** The values of a list. Only a variable holds several in one text; elsewhere a comma belongs to the value. */
function members(name: OptionName, { text, from, origin }: Found, problems: string[]): readonly string[] {
  const texts = typeof text !== 'string' ? text : from === 'environment' ? split(text) : [text];
  const full = texts.filter((one) => one !== '');
  if (full.length === 0 && from !== 'default' && (name !== 'cert' || text === ''))
    problems.push(emptyProblem(name, origin));
  return full;
}

function split(text: string): string[] {
  return text.split(',').map((one) => one.trim());
}

/** A default, or the image's environment, does not count against certificates that were given more specifically. */
function dropStrayKeys(values: Record<string, unknown>, given: Readonly<Record<string, Given>>): boolean {
  const rankOf = (name: OptionName): number => SOURCES.indexOf(given[name]?.from ?? 'default');
  if (rankOf('key') <= rankOf('cert') || isAsMany(values as Config)) return false;
  values.key = Object.freeze([]);
  return true;
}

function isAsMany({ cert, key }: Config): boolean {
  return cert.length === key.length;
}

function pairProblems(config: Config): string[] {
  const { cert, key } = config;
  const twice = cert.find((path, at) => cert.indexOf(path) !== at);
  const problems = twice === undefined ? [] : [`--cert names ${twice} twice; once is enough`];
  if (cert.length === 0) problems.push('--cert names no file; give at least one');
  if (key.length > 0 && !isAsMany(config)) {
    problems.push(
      `--cert is given ${cert.length} times and --key ${key.length} times; give as many keys, in the same order, or none when every --cert holds its own`,
    );
  }
  return problems;
}

/** `idle-timeout` as the configuration calls it. */
export function camel(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
