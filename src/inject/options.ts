// THE table of the flags of `inject`: --help, parsing and the settings come from here. They are read from flags only, not
// from the environment, which is the sidecar's.

import { Malformed } from '../config/parse.ts';
import { ConfigError } from '../errors.ts';
import {
  parseMode,
  parsePort,
  parsePorts,
  parseProbes,
  parseQuantity,
  parseSeconds,
  parseSecret,
  parseText,
} from './parse.ts';
import type { InjectSettings } from './settings.ts';

type Flag<T> = {
  readonly takes: string;
  /** As a user would write it; '' for none. */
  readonly default: string;
  readonly parse: (text: string) => T;
  readonly list?: true;
  readonly help: string;
};

function flag<T>(takes: string, value: string, parse: (text: string) => T, help: string): Flag<T> {
  return { takes, default: value, parse, help };
}

export const INJECT_FLAGS = {
  secret: flag('NAME', '', parseSecret, 'Secret of type kubernetes.io/tls with the certificate (required).'),
  mode: flag(
    'target-port|redirect',
    'target-port',
    parseMode,
    "target-port: the Service's targetPort becomes the sidecar's port. redirect: an init container with NET_ADMIN captures the app's own port.",
  ),
  'app-port': {
    ...flag(
      'PORT[:LISTEN]',
      '',
      (text) => parsePorts([text]),
      "The app's port, by number or name; repeatable. Default: the container's only or first port.",
    ),
    list: true as const,
  },
  container: flag(
    'NAME',
    '',
    parseText,
    'Which container is the app. Default: the one of the annotation kubectl.kubernetes.io/default-container, else the first.',
  ),
  'listen-port': flag('PORT', '8080', parsePort, 'Where the sidecar accepts TLS; further ports count up from it.'),
  'admin-port': flag('PORT', '9901', parsePort, 'Where the sidecar answers probes and metrics.'),
  probes: flag(
    'rewrite|keep',
    '',
    parseProbes,
    "Whether the app's probes on captured ports go through the sidecar. Default: rewrite in redirect mode, else keep.",
  ),
  'app-prestop-sleep': flag('DURATION', '8s', parseSeconds, 'How long the app serves on when its Pod ends; 0 for off.'),
  image: flag('IMAGE', '', parseText, "The sidecar's image. Default: tls-sidecar of this version."),
  'init-image': flag('IMAGE', '', parseText, 'Image of the init container. Default: tls-sidecar-init of this version.'),
  'cpu-request': flag('QUANTITY', '50m', parseQuantity, 'What the sidecar requests.'),
  'memory-request': flag('QUANTITY', '128Mi', parseQuantity, 'What the sidecar requests.'),
  'memory-limit': flag('QUANTITY', '256Mi', parseQuantity, "The sidecar's limit."),
};

export type InjectFlag = keyof typeof INJECT_FLAGS;

/**
 * Throws a ConfigError that lists every problem; those of the arguments themselves come first. `secret` may be left open to
 * the annotations of each workload.
 */
export function readSettings(
  given: Readonly<Record<string, readonly string[]>>,
  version: string,
  problems: string[],
  secret: 'required' | 'open' = 'required',
): InjectSettings {
  const read = <T>(name: InjectFlag, { parse, default: otherwise }: Flag<T>): T | undefined => {
    const text = given[name]?.[0] ?? otherwise;
    try {
      return text === '' ? undefined : parse(text);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return void problems.push(`--${name} takes ${error.message}; the flag says "${text}"`);
    }
  };
  const flags = INJECT_FLAGS;
  const mode = read('mode', flags.mode) ?? 'target-port';
  const probes = read('probes', flags.probes);
  const settings: InjectSettings = {
    version,
    mode,
    secret: read('secret', flags.secret) ?? '',
    appPorts: readPorts(given['app-port'] ?? [], problems),
    image: read('image', flags.image) ?? `tls-sidecar:${version}`,
    initImage: read('init-image', flags['init-image']) ?? `tls-sidecar-init:${version}`,
    listenPort: read('listen-port', flags['listen-port']) ?? 0,
    adminPort: read('admin-port', flags['admin-port']) ?? 0,
    appPrestopSleepSeconds: read('app-prestop-sleep', flags['app-prestop-sleep']) ?? 0,
    probes: probes ?? 'rewrite',
    container: read('container', flags.container),
    cpuRequest: read('cpu-request', flags['cpu-request']) ?? '',
    memoryRequest: read('memory-request', flags['memory-request']) ?? '',
    memoryLimit: read('memory-limit', flags['memory-limit']) ?? '',
    options: {},
  };
  if (
    secret === 'required' &&
    given.secret === undefined &&
    !problems.some((problem) => problem.startsWith('--secret '))
  )
    problems.push('--secret is missing: the name of the Secret with the certificate, as --secret web-tls');
  if (probes === 'rewrite' && mode === 'target-port')
    problems.push('--probes rewrite needs --mode redirect: in target-port mode the kubelet still reaches the app');
  if (problems.length > 0) throw new ConfigError(problems);
  return settings;
}

function readPorts(texts: readonly string[], problems: string[]): InjectSettings['appPorts'] {
  try {
    return parsePorts(texts.flatMap((text) => text.split(',')));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    problems.push(`--app-port takes ${error.message}; the flag says "${texts.join(',')}"`);
    return [];
  }
}
