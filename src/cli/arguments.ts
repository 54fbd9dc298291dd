// Arguments to text by option name. yargs parses them and writes the help; what a text means is up to config. It is loaded
// only when there are any: a sidecar in a Pod is told its options by environment.

import type { Argv } from 'yargs';
import type { Flags } from '../config/config.ts';
import { didYouMean } from '../config/file.ts';
import type { Option } from '../config/option.ts';
import { isList, OPTION_NAMES, OPTIONS, type OptionName, variableOf } from '../config/options.ts';
import { readVersion } from './version.ts';

const COMMANDS = ['serve', 'check', 'drain'];
/** With flags of their own. */
const OTHER_COMMANDS = ['inject', 'uninject', 'webhook'];
/** Of the command `drain` alone. */
const TIMEOUT = 'timeout';

export type Arguments = {
  readonly command: string;
  readonly flags: Flags;
  readonly configFile: string | undefined;
  /** Of `drain`. */
  readonly timeout: string | undefined;
  /** What is wrong with the arguments themselves, one line each. */
  readonly problems: string[];
  /** The help or the version, if that was asked for: then nothing else counts. */
  readonly told: string;
};

/** `args` are without node and the script. Never throws for what a user typed. */
export async function parseArguments(args: readonly string[]): Promise<Arguments> {
  if (args.length === 0)
    return { command: 'serve', flags: {}, configFile: undefined, timeout: undefined, problems: [], told: '' };
  const { default: yargs } = await import('yargs');
  const { rest, flags, problems } = setAside(args);
  let told = '';
  const argv = await describe(yargs(rest)).parseAsync(rest, {}, (error, _argv, output) => {
    if (error) problems.push(error.message.split('\n')[0] ?? 'wrong arguments');
    else told = output;
  });
  for (const [name, value] of Object.entries(argv)) {
    if (['_', '$0', 'help', 'h', 'version', 'v'].includes(name) || value === undefined) continue;
    const problem = problemOf(name, value);
    if (problem === undefined) flags[name] = Array.isArray(value) ? value.map(String) : String(value);
    else problems.push(problem);
  }
  const [command = 'serve', ...surplus] = argv._.map(String);
  if (!COMMANDS.includes(command)) problems.push(unknownCommand(command));
  if (surplus.length > 0) problems.push(`unexpected argument "${surplus[0]}"`);
  const { config: configFile, timeout, ...options } = flags as Flags & { config?: string; timeout?: string };
  if (timeout !== undefined && command !== 'drain') problems.push('--timeout belongs to the command drain');
  return { command, flags: options, configFile, timeout, problems, told };
}

/** Whose flags they are must be known from the start. */
function unknownCommand(command: string): string {
  if (OTHER_COMMANDS.includes(command)) return `"${command}" comes first, as in tls-sidecar ${command} --help`;
  return `unknown command "${command}"; there are serve (the default), check, drain, inject, uninject and webhook`;
}

/**
 * Takes out what yargs cannot handle: a switch with a value, which it would read as `false` whatever it is, or as a command
 * where no = stands between, and names that every object has, on which it fails.
 */
function setAside(args: readonly string[]): {
  rest: string[];
  flags: Record<string, string | string[]>;
  problems: string[];
} {
  const rest: string[] = [];
  const flags: Record<string, string | string[]> = {};
  const problems: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [, name = '', value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const next = args[i + 1];
    if (isSwitch(name) && value !== undefined) {
      flags[name] = value;
    } else if (
      isSwitch(name) &&
      next !== undefined &&
      !next.startsWith('-') &&
      ![...COMMANDS, ...OTHER_COMMANDS].includes(next)
    ) {
      flags[name] = next;
      i++;
    } else if (name !== '' && name in Object.prototype) {
      problems.push(`unknown option --${name}`);
      if (value === undefined && args[i + 1]?.startsWith('-') === false) i++;
    } else {
      rest.push(arg);
    }
  }
  return { rest, flags, problems };
}

function problemOf(name: string, value: unknown): string | undefined {
  const ours = name === 'config' || name === TIMEOUT;
  const known = ours || (OPTION_NAMES as string[]).includes(name);
  if (!known) return `unknown option --${name}${didYouMean(name, '--')}`;
  const repeatable = !ours && isList(name as OptionName);
  if (Array.isArray(value) && repeatable) return value.map((item) => problemOf(name, item)).find((found) => found);
  if (Array.isArray(value)) return `--${name} is given ${value.length} times; once is enough`;
  if (typeof value === 'boolean' && isSwitch(name)) return undefined;
  if (typeof value === 'string' && value !== '') return undefined;
  if (ours) return `--${name} needs a value: ${name === 'config' ? 'FILE' : 'DURATION'}`;
  return `--${name} needs a value: ${OPTIONS[name as OptionName].takes}`;
}

function isSwitch(name: string): boolean {
  return Object.hasOwn(OPTIONS, name) && (OPTIONS[name as OptionName] as Option<unknown>).switch === true;
}

function describe(parser: Argv): Argv {
  const described = parser
    .scriptName('tls-sidecar')
    .usage(
      '$0 [serve]  terminate TLS and forward to the app, until SIGTERM\n$0 check    test the same options without serving\n$0 drain    stop the running sidecar in order; returns when it has drained\n$0 inject   add the sidecar to Kubernetes YAML; uninject takes it out (--help tells more)\n$0 webhook  add it to new Pods, asked by the API server (--help tells more)',
    )
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': true,
      'short-option-groups': false,
    })
    .option('config', {
      type: 'string',
      describe: 'YAML or JSON file with options as keys.',
      requiresArg: true,
      group: 'Options:',
    })
    .option(TIMEOUT, {
      type: 'string',
      describe: 'Of drain: the longest that it waits. DURATION',
      requiresArg: true,
      group: 'Options:',
    })
    .version(readVersion())
    .help()
    .alias({ h: 'help', v: 'version' })
    .locale('en')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .epilogue(
      `Every option is also an environment variable, as ${variableOf('upstream-timeout')}, and a key of the file that --config names. A flag wins over the environment, that over the file.`,
    )
    .exitProcess(false);
  for (const name of OPTION_NAMES) {
    const { group, help, takes, default: value } = OPTIONS[name];
    described.option(name, {
      type: isSwitch(name) ? 'boolean' : 'string',
      group: `${group}:`,
      describe: `${help} ${takes}`.trim(),
      defaultDescription: value,
    });
  }
  return described;
}
