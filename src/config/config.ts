// One frozen configuration out of flags, environment, file and defaults, in this order of precedence; all problems are
// reported at once. Environment and arguments are given, never read here. Whether files and ports exist is checked elsewhere.

import { ConfigError } from '../errors.ts';
import { readConfigFile } from './file.ts';
import type { ListOption, Option } from './option.ts';
import { isList, OPTION_NAMES, OPTIONS, type OptionName, variableOf } from './options.ts';
import { Malformed } from './parse.ts';

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type ValueOf<O> = O extends ListOption<infer T> ? readonly T[] : O extends Option<infer T> ? T : never;
export type Config = { readonly [Name in OptionName as Camel<Name>]: ValueOf<(typeof OPTIONS)[Name]> };

export type Environment = Readonly<Record<string, string | undefined>>;

/** What one source gave: text by option name, several of them where an option is a list. */
export type Flags = Readonly<Partial<Record<string, string | readonly string[]>>>;

/**
 * Throws a ConfigError that lists every problem, each with the option, where the value came from and what it takes.
 * `configFile` is the path that --config gave, if any; `argumentProblems` are reported with the rest.
 */
export function loadConfig(
  flags: Flags,
  env: Environment,
  configFile: string | undefined,
  argumentProblems: readonly string[] = [],
): Config {
  const problems = [...argumentProblems];
  const file = configFile === undefined ? {} : readConfigFile(configFile, problems);
  const values: Record<string, unknown> = {};
  for (const name of OPTION_NAMES) {
    const option: Option<unknown> = OPTIONS[name];
    const [found, origin] = find(name, flags, env, file, configFile) ?? [option.default, 'the default'];
    const texts = isList(name) ? members(found, origin === variableOf(name)) : [String(found)];
    const read = texts.map((text) => {
      try {
        return option.parse(text);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        return void problems.push(`--${name} takes ${error.message}; ${origin} says "${text}"`);
      }
    });
    values[camel(name)] = isList(name) ? Object.freeze(read) : read[0];
  }
  // A default, or the image's environment, does not count against certificates that were given more specifically.
  const [certRank, keyRank] = [rankOf('cert', flags, env, file), rankOf('key', flags, env, file)];
  if (keyRank > certRank && !isAsMany(values as Config)) values.key = Object.freeze([]);
  if (problems.length === 0) problems.push(...pairProblems(values as Config), ...contradictions(values as Config));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(values) as Config;
}

/** The values of a list. Only a variable holds several in one text; elsewhere a comma belongs to the value. */
function members(found: string | readonly string[], separated: boolean): readonly string[] {
  if (typeof found !== 'string') return found;
  const texts = separated ? found.split(',').map((text) => text.trim()) : [found];
  return texts.filter((text) => text !== '');
}

/** How specific the source of an option is: 0 the flag, 1 the environment, 2 the file, 3 the default. */
function rankOf(name: OptionName, flags: Flags, env: Environment, file: Flags): number {
  return [flags[name], env[variableOf(name)] || undefined, file[name], ''].findIndex((text) => text !== undefined);
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

type Found = readonly [text: string | readonly string[], origin: string];

function find(name: OptionName, flags: Flags, env: Environment, file: Flags, configFile = ''): Found | undefined {
  const variable = variableOf(name);
  const candidates: [string | readonly string[] | undefined, string][] = [
    [flags[name], 'the flag'],
    [env[variable], variable],
    [file[name], configFile],
  ];
  // An empty variable is how a manifest says "not set".
  const found = candidates.find(([text, origin]) => text !== undefined && !(text === '' && origin === variable));
  return found as Found | undefined;
}

/** The value of --client-auth, or its default. */
export function clientAuthOf({ clientAuth, clientCa }: Config): 'off' | 'request' | 'require' {
  return clientAuth ?? (clientCa === undefined ? 'off' : 'require');
}

export function allowRulesOf({ allowCn, allowOu, allowDns, allowUri }: Config) {
  return { cn: allowCn, ou: allowOu, dns: allowDns, uri: allowUri };
}

/** Whether there is an allow rule. */
export function isRestricted(config: Config): boolean {
  return Object.values(allowRulesOf(config)).some((patterns) => patterns.length > 0);
}

/** Rules for clients that nobody could meet, or that anybody could bypass. */
function clientContradictions(config: Config): string[] {
  const { clientCa } = config;
  const auth = clientAuthOf(config);
  const rules = isRestricted(config);
  const problems: string[] = [];
  if (auth !== 'off' && clientCa === undefined)
    problems.push(`--client-auth ${auth} needs --client-ca: the authorities that the certificates must be issued by`);
  if (auth === 'off' && rules)
    problems.push('--allow-cn, --allow-ou, --allow-dns and --allow-uri need client certificates; give --client-ca');
  if (config.plaintext === 'forward' && (auth === 'require' || rules))
    problems.push(
      `--plaintext forward and ${rules ? 'an allow rule' : 'a required client certificate'} contradict each other: plain HTTP has no certificate; leave one out, or redirect`,
    );
  return problems;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1', '0.0.0.0', '::'];

/** Options that contradict each other, one line each. */
export function contradictions(config: Config): string[] {
  const { listen, admin, upstream, upstreamProtocol, forwarder, drainDelay, drainTimeout } = config;
  const problems: string[] = clientContradictions(config);
  const h2cUpstream = upstream.kind === 'tcp' && upstream.h2c === true;
  if (h2cUpstream && upstreamProtocol === 'http1')
    problems.push('--upstream h2c://… and --upstream-protocol http1 contradict each other; leave the latter out');
  if (forwarder === 'http-proxy' && (h2cUpstream || upstreamProtocol === 'h2c'))
    problems.push('--forwarder http-proxy speaks HTTP/1.1 only, not h2c; leave it out');
  if (upstream.kind === 'tcp' && upstream.port === listen.port && meetsItself(listen.host, upstream.host)) {
    problems.push(
      `--upstream and --listen are the same port ${listen.port}: the sidecar would call itself; give the app its own port`,
    );
  }
  if (
    admin !== 'off' &&
    admin.port !== 0 &&
    admin.port === listen.port &&
    (admin.host === listen.host || !admin.host || !listen.host)
  ) {
    problems.push(`--admin and --listen are the same port ${listen.port}; give each its own`);
  }
  if (drainDelay > drainTimeout) problems.push('--drain-delay is longer than --drain-timeout, which includes it');
  return problems;
}

function meetsItself(listenHost: string | undefined, upstreamHost: string): boolean {
  // In Node, `::` accepts both families.
  if (listenHost === undefined || listenHost === '::') return LOOPBACK_NAMES.includes(upstreamHost);
  if (listenHost === '0.0.0.0') return ['localhost', '127.0.0.1', '0.0.0.0'].includes(upstreamHost);
  return listenHost === upstreamHost || (LOOPBACK_NAMES.includes(listenHost) && upstreamHost === 'localhost');
}

/** `idle-timeout` as the configuration calls it. */
export function camel(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
