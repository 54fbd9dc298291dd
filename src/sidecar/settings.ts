// What SIGHUP does with the configuration: reads it again, applies what can change while running, and names what cannot. A
// configuration with a problem changes nothing, and gets one log line.

import { type Config, contradictions, isRestricted } from '../config/config.ts';
import { changesBetween, inForceOf } from '../config/reload.ts';
import { ConfigError } from '../errors.ts';
import type { Log } from '../observe/log.ts';
import type { Clients } from './clients.ts';

export interface Settings {
  /** The current values of options that may change while running. */
  readonly accessLog: Config['accessLog'];
  reload(): void;
}

export type SettingsOptions = {
  readonly config: Config;
  /** Reads flags, environment and file again; throws a ConfigError. */
  readonly reread: () => Config;
  readonly clients: Clients;
  readonly log: Log;
};

export function createSettings({ config, reread, clients, log }: SettingsOptions): Settings {
  let current = config;
  const take = (read: Config): void => {
    const { inForce, needRestart } = changesBetween(current, read);
    const next = inForceOf(current, read);
    refuseUnsafe(current, next, needRestart);
    if (needRestart.length > 0)
      log.warn({ options: needRestart }, 'changed options need a restart; the old values stay');
    if (inForce.length === 0) return;
    clients.setRules(next);
    current = next;
    log.info({ options: inForce }, 'configuration reloaded');
    log.level = next.logLevel;
  };
  return {
    get accessLog() {
      return current.accessLog;
    },
    reload() {
      try {
        take(reread());
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        log.error({ problems: error.problems }, 'configuration not reloaded; the old settings stay');
      }
    },
  };
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
