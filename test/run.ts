// Behind `npm test`: finds the tests, proves that none that git knows is left out, says which outside programs they will
// find, hands all of it to node's own runner, and says at the end what was skipped and why; in CI that is a failure. Files that
// failed while the machine stood still are run once more, one by one, and named; on a machine that is there, a failure is one.
// `npm test -- words…` runs the files whose path holds one of the words; arguments that begin with - go to node
// (`--test-name-pattern=…`). test/soak runs only when a word names that folder; test/pod has a program of its own (run.ts there).

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { failedFilesIn } from './support/failed.ts';
import { peersLine } from './support/peers.ts';
import { skippedIn, skippedLines } from './support/skipped.ts';
import { type Standstills, standstillsLine, watchStandstills } from './support/standstills.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const laterSuites = ['test/soak'];
const fileLimitMs = 10 * 60_000;
const soakLimitMs = 40 * 60_000;
/** More than so many files do not fail because of the machine. */
const MOST_REPEATED = 12;

const run = promisify(execFile);

/** This run was told to end: nothing is run again. */
let interrupted = false;

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
  console.log(counted(chosen, found, tracked));
  console.log(`node: ${process.version} (${process.execPath})`);
  console.log(await peersLine());
  return runAndTell(chosen, nodeOptions);
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

async function runAndTell(files: string[], options: string[]): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'tls-sidecar-run-'));
  const started = performance.now();
  try {
    const first = await runWatched(files, options, join(dir, 'tap'), availableParallelism());
    const failed = first.code === 0 ? [] : failedFilesIn(first.tap, files);
    const again = !interrupted && first.standstills.count > 0 && isFew(failed);
    const second = again ? await runAgain(failed, options, join(dir, 'again')) : first;
    const skipped = skippedIn(first.tap);
    console.log(`node ${process.version}: ${Math.round((performance.now() - started) / 1000)} s`);
    console.log(standstillsLine(first.standstills));
    console.log(skippedLines(skipped));
    if (again) console.log(`failed, and ${second.code === 0 ? 'passed' : 'failed'} alone: ${failed.join(', ')}`);
    return process.env.CI && skipped.length > 0 ? fail('nothing may be skipped in CI') : second.code;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function isFew(failed: string[] | undefined): failed is string[] {
  return failed !== undefined && failed.length > 0 && failed.length <= MOST_REPEATED;
}

type Ran = { readonly code: number; readonly tap: string; readonly standstills: Standstills };

async function runWatched(files: string[], options: string[], tap: string, atOnce: number): Promise<Ran> {
  const standstills = watchStandstills();
  const code = await runNode(files, options, tap, atOnce);
  return { code, standstills: standstills(), tap: await readFile(tap, 'utf8').catch(() => '') };
}

function runAgain(files: string[], options: string[], tap: string): Promise<Ran> {
  console.log(`\nthis machine stood still while they ran, so once more: ${files.join(', ')}\n`);
  return runWatched(files, options, tap, 1);
}

function runNode(files: string[], options: string[], tap: string, atOnce: number): Promise<number> {
  const concurrency = `--test-concurrency=${atOnce}`;
  const limitMs = files.some((file) => file.startsWith('test/soak/')) ? soakLimitMs : fileLimitMs;
  const timeout = `--test-timeout=${limitMs}`;
  // A reporter of the command line needs a destination beside ours.
  const reported = options.some((option) => option.startsWith('--test-reporter='));
  const directed = options.some((option) => option.startsWith('--test-reporter-destination='));
  const shown = [
    ...(reported ? [] : ['--test-reporter=spec']),
    ...(directed ? [] : ['--test-reporter-destination=stdout']),
  ];
  const kept = ['--test-reporter=tap', `--test-reporter-destination=${tap}`];
  const runner = ['--test', concurrency, timeout, ...options, ...shown, ...kept];
  const child = spawn(process.execPath, ['--import', 'tsx', ...runner, ...files], { cwd: root, stdio: 'inherit' });
  // A Ctrl-C reaches the child by itself; a SIGTERM to this process alone would leave it behind.
  process.on('SIGINT', () => {
    interrupted = true;
  });
  process.on('SIGTERM', () => {
    interrupted = true;
    child.kill('SIGTERM');
  });
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
