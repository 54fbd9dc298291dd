// The commands `inject` and `uninject`: files or stdin in, the result on stdout, a report on stderr. Loaded only for them.
// Nothing is on stdout unless all of it could be done.

import { readFile } from 'node:fs/promises';
import { buffer as allOf } from 'node:stream/consumers';
import { ConfigError, errorCode } from '../errors.ts';
import { type Injected, inject } from '../inject/inject.ts';
import { INJECT_FLAGS, readSettings } from '../inject/options.ts';
import { parseStream } from '../inject/stream.ts';
import { uninject } from '../inject/uninject.ts';
import { type OwnCommand, parseOwn } from './own-flags.ts';
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
  const { words: files, flags, problems, told } = await parseOwn(describe(command), args);
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

function describe(command: TextCommand): OwnCommand {
  const what =
    command === 'inject'
      ? 'add the sidecar to the workloads in Kubernetes YAML or JSON'
      : 'take out what inject added; every byte is as before';
  return {
    name: command,
    usage: `$0 [FILE…|-]  ${what}\n\nThe result goes to stdout, a report to stderr. Without a FILE, stdin is read.`,
    flags: command === 'inject' ? INJECT_FLAGS : {},
  };
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
