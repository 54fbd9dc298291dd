// The commands `inject` and `uninject`: files or stdin in, the result on stdout, a report on stderr. Loaded only for them.
// Nothing is on stdout unless all of it could be done.

import { readFile } from 'node:fs/promises';
import { buffer as allOf } from 'node:stream/consumers';
import yargs from 'yargs';
import { ConfigError, errorCode } from '../errors.ts';
import { type Injected, inject } from '../inject/inject.ts';
import { INJECT_FLAGS, type InjectFlag, readSettings } from '../inject/options.ts';
import { parseStream } from '../inject/stream.ts';
import { uninject } from '../inject/uninject.ts';
import { readVersion } from './version.ts';

const SUCCESS = 0;
const STDIN = '-';
const READ_ERRORS: Readonly<Record<string, string>> = {
  EISDIR: 'a directory: name its files',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8',
};

export type TextCommand = 'inject' | 'uninject';

/** `args` are those behind the command. Throws a ConfigError for whatever is wrong with them or with the input. */
export async function runInject(command: TextCommand, args: readonly string[]): Promise<number> {
  const { files, flags, problems, told } = await parse(command, args);
  if (told !== '') {
    process.stdout.write(`${told}\n`);
    return SUCCESS;
  }
  if (command === 'uninject' && problems.length > 0) throw new ConfigError(problems);
  const settings = command === 'inject' ? readSettings(flags, readVersion(), problems) : undefined;
  const { text, name } = await readInput(files);
  const { text: result, report } = settings === undefined ? uninject(text, name) : inject(text, settings, name);
  await print({ text: result, report });
  return SUCCESS;
}

type Parsed = {
  readonly files: readonly string[];
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly problems: string[];
  readonly told: string;
};

async function parse(command: TextCommand, args: readonly string[]): Promise<Parsed> {
  const names = command === 'inject' ? (Object.keys(INJECT_FLAGS) as InjectFlag[]) : [];
  // On names that every object has, yargs fails.
  const reserved = args.flatMap((arg) => /^--([^=]+)/.exec(arg)?.[1] ?? []).filter((name) => name in Object.prototype);
  if (reserved.length > 0)
    throw new ConfigError(reserved.map((name) => `unknown option --${name}; ${command} --help lists them`));
  const problems: string[] = [];
  let told = '';
  const argv = await describe(command, names).parseAsync([...args], {}, (error, _argv, output) => {
    if (error) problems.push(error.message.split('\n')[0] ?? 'wrong arguments');
    else told = output;
  });
  const flags: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(argv)) {
    if (['_', '$0', 'help', 'version'].includes(name) || value === undefined) continue;
    const texts = (Array.isArray(value) ? value : [value]).map(String);
    if (!names.some((known) => known === name)) problems.push(`unknown option --${name}; ${command} --help lists them`);
    else if (texts.some((text) => text === '' || text === 'undefined'))
      problems.push(`--${name} needs a value: ${INJECT_FLAGS[name as InjectFlag].takes}`);
    else if (texts.length > 1 && !('list' in INJECT_FLAGS[name as InjectFlag]))
      problems.push(`--${name} is given ${texts.length} times; once is enough`);
    else flags[name] = texts;
  }
  return { files: argv._.map(String), flags, problems, told };
}

function describe(command: TextCommand, names: readonly InjectFlag[]): ReturnType<typeof yargs> {
  const what =
    command === 'inject'
      ? 'add the sidecar to the workloads in Kubernetes YAML or JSON'
      : 'take out what inject added; every byte is as before';
  const described = yargs()
    .scriptName(`tls-sidecar ${command}`)
    .usage(`$0 [FILE…|-]  ${what}\n\nThe result goes to stdout, a report to stderr. Without a FILE, stdin is read.`)
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
    .locale('en')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false);
  for (const name of names) {
    const { takes, help, default: value } = INJECT_FLAGS[name];
    described.option(name, {
      type: 'string',
      describe: `${help} ${takes}`,
      ...(value !== '' && { defaultDescription: value }),
    });
  }
  return described;
}

/** Several files are one stream, in their order. */
async function readInput(files: readonly string[]): Promise<{ text: string; name: string }> {
  const names = files.length === 0 ? [STDIN] : files;
  if (files.length === 0 && process.stdin.isTTY)
    throw new ConfigError(['name a FILE, or pipe YAML in; - waits for what is typed']);
  const problems: string[] = [];
  const texts: string[] = [];
  for (const file of names) {
    try {
      const bytes = file === STDIN ? await allOf(process.stdin) : await readFile(file);
      // Anything else would not come out as it went in.
      texts.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch (error) {
      const code = errorCode(error);
      const why = READ_ERRORS[code] ?? code;
      problems.push(`cannot read ${nameOfInput(file)} (${why})`);
    }
  }
  // As after a command before the pipe that has failed.
  if (problems.length === 0 && texts.every((text) => text.trim() === ''))
    problems.push(`${names.map(nameOfInput).join(', ')}: there is nothing to read`);
  if (problems.length > 0) throw new ConfigError(problems);
  // Each for itself first, so that a problem names the file and its line.
  if (texts.length > 1) for (const [at, text] of texts.entries()) parseStream(text, nameOfInput(names[at] ?? STDIN));
  return { text: texts.reduce(joined), name: nameOfInput(names[0] ?? STDIN) };
}

function nameOfInput(file: string): string {
  return file === STDIN ? 'stdin' : file;
}

/** JSON follows JSON without a separator, or kubectl does not read it. */
function joined(before: string, next: string): string {
  if (before === '') return next;
  const ended = before.endsWith('\n') ? before : `${before}\n`;
  const isJson = before.trimStart().startsWith('{') && next.trimStart().startsWith('{');
  return isJson || /^(---|%)/.test(next) ? `${ended}${next}` : `${ended}---\n${next}`;
}

/** Resolves when stdout has taken all: the process exits after it. */
async function print({ text, report }: Injected): Promise<void> {
  for (const line of report) process.stderr.write(`${line}\n`);
  await new Promise<void>((resolve, reject) => {
    // Whoever reads it may have had enough, as head does.
    process.stdout.once('error', (error) => (errorCode(error) === 'EPIPE' ? resolve() : reject(error)));
    process.stdout.write(text, () => resolve());
  });
}
