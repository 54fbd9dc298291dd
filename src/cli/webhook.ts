// The command `webhook`: a sidecar without an app, which answers the API server's admission reviews with what `inject` would
// do. Of the options of `serve` it has those that make sense for it, by flag or variable; its other flags are those of
// `inject`, which hold for every Pod that says nothing else in its annotations. Loaded only for it.

import { type Environment, type Flags, type Loaded, loadConfig } from '../config/config.ts';
import { OPTIONS, type OptionName, variableOf } from '../config/options.ts';
import { ConfigError } from '../errors.ts';
import { INJECT_FLAGS, readSettings } from '../inject/options.ts';
import type { InjectSettings } from '../inject/settings.ts';
import { observeReviews } from '../observe/reviews.ts';
import type { BuiltIn } from '../sidecar/built-in.ts';
import { createWebhook } from '../webhook/webhook.ts';
import { type OwnCommand, type OwnFlag, parseOwn } from './own-flags.ts';
import { serve } from './serve.ts';
import { readVersion } from './version.ts';

const SUCCESS = 0;

const SERVE_OPTIONS = [
  ...(['cert', 'key', 'listen', 'admin', 'tls-min-version'] as const),
  ...(['client-ca', 'client-crl', 'client-auth', 'allow-cn', 'allow-ou', 'allow-dns', 'allow-uri'] as const),
  ...(['max-connections', 'handshake-timeout', 'header-timeout', 'client-timeout', 'idle-timeout'] as const),
  ...(['drain-delay', 'drain-timeout', 'access-log', 'log-level', 'log-format'] as const),
] satisfies readonly OptionName[];

/** There is no app: an address that can never be the one it listens on. */
const DEFAULTS: Flags = { listen: ':8443', upstream: 'unix:/inject' };

/** `args` are those behind the command. Throws a ConfigError for whatever is wrong with them. */
export async function runWebhook(args: readonly string[], env: Environment): Promise<number> {
  const { words, flags, problems, told } = await parseOwn(COMMAND, args);
  if (told !== '') {
    process.stdout.write(`${told}\n`);
    return SUCCESS;
  }
  for (const word of words) problems.push(`unexpected argument "${word}"`);
  const load = (): Loaded => loadConfig(serveFlags(flags), serveVariables(env), undefined, problems, DEFAULTS);
  const settings = readOrLoad(() => readSettings(flags, readVersion(), problems, 'open'), load);
  const builtIn: BuiltIn = {
    name: 'webhook',
    create: ({ log, metrics, ...given }) =>
      createWebhook({ settings, observer: observeReviews(log, metrics), ...given }),
  };
  return await serve(load(), load, builtIn);
}

/** Where the flags of inject are wrong, those of serve are read as well, so that all problems are told at once. */
function readOrLoad(read: () => InjectSettings, load: () => Loaded): InjectSettings {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) load();
    throw error;
  }
}

const COMMAND: OwnCommand = {
  name: 'webhook',
  usage:
    '$0  give new Pods the sidecar: a mutating admission webhook, asked by the API server at POST /inject\n\nThe flags of inject hold for Pods that say nothing else in their annotations; without --secret each names its own.',
  flags: {
    ...Object.fromEntries(SERVE_OPTIONS.map((name) => [name, ownFlag(name)])),
    ...withoutRequired(INJECT_FLAGS),
  },
  epilogue: `Flags that inject does not have are also environment variables, as ${variableOf('drain-delay')}.`,
};

function ownFlag(name: OptionName): OwnFlag {
  const { takes, help, default: value } = OPTIONS[name];
  const list = 'list' in OPTIONS[name] ? { list: true as const } : {};
  return { takes, help, default: String(DEFAULTS[name] ?? value), ...list };
}

function withoutRequired({ secret, ...others }: typeof INJECT_FLAGS): Readonly<Record<string, OwnFlag>> {
  return { secret: { ...secret, help: 'Secret of type kubernetes.io/tls with the certificate.' }, ...others };
}

/** One value each where an option is none of a list. */
function serveFlags(flags: Readonly<Record<string, readonly string[]>>): Flags {
  return Object.fromEntries(
    SERVE_OPTIONS.flatMap((name): [string, string | readonly string[]][] => {
      const texts = flags[name];
      if (texts === undefined) return [];
      return [[name, 'list' in OPTIONS[name] ? texts : (texts[0] ?? '')]];
    }),
  );
}

/** Variables of other options are those of a sidecar, and mean nothing here. */
function serveVariables(env: Environment): Environment {
  return Object.fromEntries(SERVE_OPTIONS.map((name) => [variableOf(name), env[variableOf(name)]]));
}
