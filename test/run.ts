// Behind `npm test`: finds the tests, proves that none that git knows is left out, says which outside tools they will find,
// and hands all of it to node's own runner. `npm test -- words…` runs the files whose path holds one of the words; arguments
// that begin with - go to node (`--test-name-pattern=…`). test/pod and test/soak run only when a word names their folder.

import { execFile, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const laterSuites = ['test/pod', 'test/soak'];
const fileLimitMs = 5 * 60_000;
const soakLimitMs = 40 * 60_000;

const tools: Record<string, string[]> = {
  nginx: ['-v'],
  openssl: ['version'],
  curl: ['--version'],
  haproxy: ['-v'],
  nghttp: ['--version'],
  h2load: ['--version'],
  ip: ['-V'],
  iptables: ['--version'],
  python3: ['--version'],
  podman: ['--version'],
  chromium: ['--version'],
};

const run = promisify(execFile);

async function main(argv: string[]): Promise<number> {
  const words = argv.filter((argument) => !argument.startsWith('-'));
  const nodeOptions = argv.filter((argument) => argument.startsWith('-'));
  const found = await testFiles();
  const tracked = await trackedTestFiles();
  const missing = tracked?.filter((file) => !found.includes(file)) ?? [];
  if (missing.length > 0) return fail(`tracked by git, but not there to run: ${missing.join(', ')}`);

  const chosen = found.filter((file) => isChosen(file, words));
  if (chosen.length === 0)
    return fail(words.length === 0 ? 'no test files' : `no test file matches ${words.join(', ')}`);
  console.log(`${counted(chosen, found, tracked)}; node ${process.version}`);
  console.log(await toolsLine());
  return runNode(chosen, nodeOptions);
}

async function testFiles(): Promise<string[]> {
  const entries = await readdir(join(root, 'test'), { recursive: true });
  return entries
    .filter((entry) => entry.endsWith('.test.ts'))
    .map((entry) => join('test', entry))
    .sort();
}

/** Undefined where there is no git or no checkout: a source archive has its tests, too. */
async function trackedTestFiles(): Promise<string[] | undefined> {
  try {
    const pattern = ':(glob)test/**/*.test.ts';
    const { stdout } = await run('git', ['ls-files', '-z', '--', pattern], { cwd: root, timeout: 10_000 });
    return stdout.split('\0').filter((file) => file !== '');
  } catch {
    return undefined;
  }
}

function isChosen(file: string, words: string[]): boolean {
  const suite = laterSuites.find((folder) => file.startsWith(`${folder}/`));
  const asked = words.filter((word) => suite === undefined || word.includes(suite));
  return asked.some((word) => file.includes(word)) || (suite === undefined && words.length === 0);
}

function counted(chosen: string[], found: string[], tracked: string[] | undefined): string {
  const known =
    tracked === undefined ? 'no git checkout to check against' : `${tracked.length} tracked by git, all there`;
  const all = chosen.length === found.length ? '' : ` of ${found.length}`;
  return `${chosen.length}${all} test files (${known})`;
}

async function toolsLine(): Promise<string> {
  const versions = await Promise.all(Object.entries(tools).map(([name, args]) => versionOf(name, args)));
  const names = Object.keys(tools);
  const present = names.flatMap((name, at) => (versions[at] === undefined ? [] : [`${name} ${versions[at]}`]));
  const absent = names.filter((_, at) => versions[at] === undefined);
  return `tools: ${present.join(', ')}${absent.length === 0 ? '' : `; not found: ${absent.join(', ')}`}`;
}

async function versionOf(name: string, args: string[]): Promise<string | undefined> {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  try {
    const { stdout, stderr } = await run(name, args, { timeout: 5000, env: { ...process.env, PATH: path } });
    return /\d+(?:\.\d+)+\w*/.exec(stdout + stderr)?.[0] ?? '(version unknown)';
  } catch {
    return undefined;
  }
}

function runNode(files: string[], options: string[]): Promise<number> {
  const concurrency = `--test-concurrency=${availableParallelism()}`;
  const limitMs = files.some((file) => file.startsWith('test/soak/')) ? soakLimitMs : fileLimitMs;
  const timeout = `--test-timeout=${limitMs}`;
  const reported = options.some((option) => option.startsWith('--test-reporter'));
  const runner = ['--test', concurrency, timeout, ...(reported ? [] : ['--test-reporter=spec'])];
  const child = spawn(process.execPath, ['--import', 'tsx', ...runner, ...options, ...files], {
    cwd: root,
    stdio: 'inherit',
  });
  // A Ctrl-C reaches the child by itself; a SIGTERM to this process alone would leave it behind.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function fail(why: string): number {
  console.error(`test/run.ts: ${why}`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
