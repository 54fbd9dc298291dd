// What SIGHUP does with the configuration: reads it again, puts into force what can be changed while running, and names
// what cannot. A configuration with a mistake changes nothing, and is told in one line.

import type { Clients } from './clients.ts';
import type { Config } from './config/config.ts';
import { changesBetween } from './config/reload.ts';
import { ConfigError } from './errors.ts';
import type { Log } from './log.ts';

export interface Settings {
  /** What is in force of the options that may change while running. */
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
  const take = (next: Config): void => {
    const { inForce, needRestart } = changesBetween(current, next);
    if (inForce.length > 0) {
      clients.setRules(next);
      log.level = next.logLevel;
      const { allowCn, allowOu, allowDns, allowUri, accessLog, logLevel } = next;
      current = { ...current, allowCn, allowOu, allowDns, allowUri, accessLog, logLevel };
      log.info({ options: inForce }, 'configuration reloaded');
    }
    if (needRestart.length > 0)
      log.warn({ options: needRestart }, 'changed options need a restart; the old values stay');
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
