// What an injection is asked for: by flags for all workloads, and by annotations for one. A wrong value is a problem, one
// line that says where it stands and what is taken.

import { didYouMean } from '../config/file.ts';
import { OPTIONS, type OptionName, variableOf } from '../config/options.ts';
import { Malformed } from '../config/parse.ts';
import { get, type JsonObject } from './edits/objects.ts';
import { parseInject, parseMode, parsePorts, parseSecret, parseText } from './parse.ts';

export const PREFIX = 'tls-sidecar.dev/';
export const INJECTED = `${PREFIX}injected`;
export const ORIGINAL = `${PREFIX}original`;
export const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

export type Mode = 'target-port' | 'redirect';

/** A port of the app, by number or by its name, and where TLS for it is accepted if that was said. */
export type AppPort = { readonly app: number | string; readonly listen?: number };

export type InjectSettings = {
  readonly version: string;
  readonly mode: Mode;
  /** Empty: every workload has to name its own. */
  readonly secret: string;
  /** Empty: the only or first one that the app's container declares. */
  readonly appPorts: readonly AppPort[];
  readonly image: string;
  readonly initImage: string;
  readonly listenPort: number;
  readonly adminPort: number;
  /** 0: no hook. */
  readonly appPrestopSleepSeconds: number;
  readonly probes: 'rewrite' | 'keep';
  readonly container: string | undefined;
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
  /** Further options of the sidecar by environment variable. */
  readonly options: Readonly<Record<string, string>>;
};

/** Why an object is left alone that says so itself. YAML 1.1 has more words for `false`, and an unquoted one is no text. */
export function optedOut(annotations: JsonObject): string | undefined {
  const asked = String(annotations[`${PREFIX}inject`]);
  return asked === 'false' ? `opted out (annotation ${PREFIX}inject: "false")` : undefined;
}

/** The settings of one workload. Problems are added to `problems`, and the value of the flag stays. */
export function withAnnotations(settings: InjectSettings, annotations: JsonObject, problems: string[]): InjectSettings {
  const read = <T>(name: string, otherwise: T, parse: (text: string) => T): T => {
    const text = get(annotations, [`${PREFIX}${name}`]);
    if (text === undefined || text === null) return otherwise;
    try {
      return parse(String(text));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      problems.push(`the annotation ${PREFIX}${name} takes ${error.message}; it says "${text}"`);
      return otherwise;
    }
  };
  const known = ['inject', 'mode', 'secret', 'ports', 'image', 'options', 'injected', 'original'];
  for (const name of Object.keys(annotations)) {
    if (name.startsWith(PREFIX) && !known.includes(name.slice(PREFIX.length)))
      problems.push(`there is no annotation ${name}; there are ${known.slice(0, 6).join(', ')} under ${PREFIX}`);
  }
  // Who has not opted out may have meant to.
  read('inject', 'true', parseInject);
  return {
    ...settings,
    mode: read('mode', settings.mode, parseMode),
    secret: read('secret', settings.secret, parseSecret),
    appPorts: read('ports', settings.appPorts, (text) => parsePorts(text.split(',').map((part) => part.trim()))),
    image: read('image', settings.image, parseText),
    options: read('options', settings.options, parseOptions),
  };
}

/** Whoever sets these by hand would contradict what inject puts elsewhere into the Pod. */
const OURS = ['listen', 'upstream', 'admin', 'probe', 'cert', 'key', 'config'];

/** `access-log=errors idle-timeout=30s`: options of the sidecar, apart by blanks. */
export function parseOptions(text: string): Record<string, string> {
  const options: Record<string, string> = {};
  for (const part of text.split(/\s+/).filter((word) => word !== '')) {
    const [, name = '', value] = /^(?:--)?([a-z0-9-]+)=(.+)$/s.exec(part) ?? [];
    if (value === undefined)
      throw new Malformed(`options of the sidecar as name=value, apart by blanks; "${part}" is none`);
    if (OURS.includes(name)) throw new Malformed(`no option ${name}: inject sets it from its own flags`);
    if (!Object.hasOwn(OPTIONS, name))
      throw new Malformed(`options of the sidecar; there is no "${name}"${didYouMean(name)}`);
    checkValue(name as OptionName, value);
    options[variableOf(name)] = value;
  }
  return options;
}

function checkValue(name: OptionName, value: string): void {
  const values = 'list' in OPTIONS[name] ? value.split(',') : [value];
  for (const one of values) {
    try {
      OPTIONS[name].parse(one);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      throw new Malformed(`for ${name} ${error.message}`);
    }
  }
}
