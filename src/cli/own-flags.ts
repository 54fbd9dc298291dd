// The arguments of a command that has a table of flags of its own: to texts by flag, and its help out of the table. What a
// text means is up to whoever owns the table.

import yargs from 'yargs';
import { ConfigError } from '../errors.ts';
import { readVersion } from './version.ts';

export type OwnFlag = {
  readonly takes: string;
  /** As a user would write it; '' for none. */
  readonly default: string;
  readonly help: string;
  /** It may be given several times. */
  readonly list?: true;
};

export type OwnCommand = {
  readonly name: string;
  /** What --help shows before the flags. */
  readonly usage: string;
  readonly flags: Readonly<Record<string, OwnFlag>>;
  readonly epilogue?: string;
};

export type OwnArguments = {
  /** What is no flag. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly problems: string[];
  /** The help or the version, if that was asked for: then nothing else counts. */
  readonly told: string;
};

/** What yargs puts beside the flags. */
const NOT_OURS: readonly string[] = ['_', '$0', 'help', 'h', 'version', 'v'];

/** `args` are those behind the command. */
export async function parseOwn(command: OwnCommand, args: readonly string[]): Promise<OwnArguments> {
  const { name: commandName, flags: table } = command;
  // On names that every object has, yargs fails.
  const reserved = args.flatMap((arg) => /^--([^=]+)/.exec(arg)?.[1] ?? []).filter((name) => name in Object.prototype);
  if (reserved.length > 0)
    throw new ConfigError(reserved.map((name) => `unknown option --${name}; ${commandName} --help lists them`));
  const problems: string[] = [];
  let told = '';
  const argv = await describe(command).parseAsync([...args], {}, (error, _argv, output) => {
    if (error) problems.push(error.message.split('\n')[0] ?? 'wrong arguments');
    else told = output;
  });
  const flags: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(argv)) {
    if (NOT_OURS.includes(name) || value === undefined) continue;
    const texts = (Array.isArray(value) ? value : [value]).map(String);
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (flag === undefined) problems.push(`unknown option --${name}; ${commandName} --help lists them`);
    else if (texts.some((text) => text === '' || text === 'undefined'))
      problems.push(`--${name} needs a value: ${flag.takes}`);
    else if (texts.length > 1 && flag.list !== true)
      problems.push(`--${name} is given ${texts.length} times; once is enough`);
    else flags[name] = texts;
  }
  return { words: argv._.map(String), flags, problems, told };
}

function describe({ name: commandName, usage, flags, epilogue = '' }: OwnCommand): ReturnType<typeof yargs> {
  const described = yargs()
    .scriptName(`tls-sidecar ${commandName}`)
    .usage(usage)
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'short-option-groups': false,
    })
    .version(readVersion())
    .help()
    .alias({ h: 'help', v: 'version' })
    .locale('en')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .epilogue(epilogue)
    .exitProcess(false);
  for (const [name, { takes, help, default: value }] of Object.entries(flags)) {
    described.option(name, {
      type: 'string',
      describe: `${help} ${takes}`,
      ...(value !== '' && { defaultDescription: value }),
    });
  }
  return described;
}
