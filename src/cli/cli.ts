// The command line: which command runs, with which configuration, and its exit code. Every mistake is one line on stderr.

import { type Environment, loadConfig } from '../config/config.ts';
import { variableOf } from '../config/options.ts';
import { ConfigError } from '../errors.ts';
import { parseArguments } from './arguments.ts';
import { check } from './check.ts';
import { drain } from './drain.ts';
import { serve } from './serve.ts';

const SUCCESS = 0;
const WRONG_USE = 2;

/** Runs one command and gives the exit code of the process. `args` are without node and the script. */
export async function run(args: readonly string[], env: Environment): Promise<number> {
  try {
    const [first, ...rest] = args;
    if (first === 'inject' || first === 'uninject') {
      // Only these need it: what serves TLS neither loads nor holds it.
      const { runInject } = await import('./inject.ts');
      return await runInject(first, rest);
    }
    if (first === 'webhook') {
      const { runWebhook } = await import('./webhook.ts');
      return await runWebhook(rest, env);
    }
    const { command, flags, configFile, timeout, problems, told } = await parseArguments(args);
    if (told !== '') {
      process.stdout.write(`${told}\n`);
      return SUCCESS;
    }
    const load = () => loadConfig(flags, env, configFile ?? env[variableOf('config')], problems);
    const loaded = load();
    if (command === 'check') return await check(loaded);
    return command === 'drain' ? await drain(loaded, timeout) : await serve(loaded, load);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) process.stderr.write(`tls-sidecar: ${problem}\n`);
    return WRONG_USE;
  }
}
