// What SIGHUP and a changed file of --config do with the configuration: it is read again, what can change while running is
// applied, and what cannot is named. A configuration with a problem changes nothing, and gets one log line.

import { createHash } from 'node:crypto';
import { isRestricted } from '../config/client-rules.ts';
import type { Config, Loaded } from '../config/config.ts';
import { contradictions } from '../config/contradictions.ts';
import { changesBetween, inForceOf } from '../config/reload.ts';
import { ConfigError, errorCode } from '../errors.ts';
import { OddFile, readSmallFile } from '../files.ts';
import type { Log } from '../observe/log.ts';
import type { Clients } from './clients.ts';

export interface Settings {
  /** The current values of options that every exchange asks for. */
  readonly accessLog: Config['accessLog'];
  readonly maxBodySize: Config['maxBodySize'];
  readonly rateLimit: Config['rateLimit'];
  readonly inForce: Loaded;
  /** Reads everything again. False: it is the configuration that is in force. */
  reload(): boolean;
  /** Reads everything again if the file holds something else than at the last look. False: it is to be looked at again. */
  look(): boolean;
}

export type SettingsOptions = {
  readonly loaded: Loaded;
  /** Reads flags, environment and file again; throws a ConfigError. */
  readonly reread: () => Loaded;
  readonly clients: Clients;
  readonly log: Log;
};

export function createSettings({ loaded, reread, clients, log }: SettingsOptions): Settings {
  let current = loaded;
  let seen = contentOf(loaded.file);
  let refused = false;
  const take = (read: Loaded): boolean => {
    const { inForce, needRestart } = changesBetween(current.config, read.config);
    const next = inForceOf(current, read);
    refuseUnsafe(current.config, next.config, needRestart);
    if (needRestart.length > 0)
      log.warn({ options: needRestart }, 'changed options need a restart; the old values stay');
    if (inForce.length > 0) {
      clients.setRules(next.config);
      current = next;
      log.info({ options: inForce }, 'configuration reloaded');
      log.level = next.config.logLevel;
    } else if (refused && needRestart.length === 0) {
      log.info('the configuration is again the one that is in force');
    }
    const changed = refused || inForce.length + needRestart.length > 0;
    refused = false;
    return changed;
  };
  const reload = (): boolean => {
    // Before it is read: what comes in between is found at the next look.
    seen = contentOf(loaded.file);
    try {
      return take(reread());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      refused = true;
      log.error({ problems: error.problems }, 'configuration not reloaded; the old settings stay');
      return true;
    }
  };
  return {
    get accessLog() {
      return current.config.accessLog;
    },
    get maxBodySize() {
      return current.config.maxBodySize;
    },
    get rateLimit() {
      return current.config.rateLimit;
    },
    get inForce() {
      return current;
    },
    reload,
    look() {
      if (contentOf(loaded.file) !== seen) reload();
      return !refused;
    },
  };
}

/** Differs when the file does. */
function contentOf(path: string | undefined): string {
  if (path === undefined) return '';
  try {
    return createHash('sha256').update(readSmallFile(path)).digest('hex');
  } catch (error) {
    return error instanceof OddFile ? error.what : errorCode(error);
  }
}

/** Throws a ConfigError. Rules belong to a CA, and a file without rules must not admit everybody. */
function refuseUnsafe(before: Config, next: Config, needRestart: readonly string[]): void {
  const problems = contradictions(next);
  if (isRestricted(before) && !isRestricted(next))
    problems.push(
      'it has no allow rule any more, and would admit every certificate of the client CA; that needs a restart',
    );
  if (needRestart.includes('client-ca') || needRestart.includes('client-auth'))
    problems.push('--client-ca or --client-auth has changed, and the allow rules belong to them; that needs a restart');
  if (problems.length > 0) throw new ConfigError(problems);
}
