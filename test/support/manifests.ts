// Kubernetes YAML as people and programs write it, by the thousand: random workloads in random spellings (comments, anchors,
// odd indentation, flow and block, all kinds of scalars, CRLF, missing line breaks at the end). The same seed gives the same text.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0;
  }

  /** From 0 up to, and without, `below`; mulberry32. */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }
}

/** Text as it shall stand there. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | boolean | null | Raw | Value[] | { [key: string]: Value };

export type Generated = {
  readonly text: string;
  /** Nothing in it is replaced by an injection in target-port mode: every byte of it must be found again. */
  readonly untouched: boolean;
};

export function generateManifest(seed: number): Generated {
  const random = new Random(seed);
  const untouched = random.chance(50);
  const objects = Array.from({ length: 1 + random.int(2) }, (_, at) =>
    at > 0 && random.chance(40) && !untouched ? service(random) : workload(random, untouched, at),
  );
  if (random.chance(20))
    objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: data(random) });
  const listed = random.chance(10) ? [{ apiVersion: 'v1', kind: 'List', items: objects }] : objects;
  const text = random.chance(12) ? listed.map((object) => json(random, object)).join('\n') : documents(random, listed);
  return { text: random.chance(25) ? text.replaceAll('\n', '\r\n') : text, untouched };
}

const KINDS = [
  'Pod',
  'Deployment',
  'DaemonSet',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'CronJob',
];

function workload(random: Random, untouched: boolean, at: number): { [key: string]: Value } {
  const kind = random.pick(KINDS);
  const labels = { app: 'web', 'app.kubernetes.io/name': `web-${at}` };
  const metadata: { [key: string]: Value } = { labels: { ...labels } };
  empties(random, untouched, metadata, 'annotations', { 'checksum/config': 'abc', 'example.org/on': 'yes' });
  const template =
    kind === 'Job' && random.chance(40)
      ? { spec: podSpec(random, untouched) }
      : { metadata, spec: podSpec(random, untouched) };
  const name = { name: `web-${at}`, labels: { ...labels } };
  if (kind === 'Pod')
    return { apiVersion: 'v1', kind, metadata: { name: `web-${at}`, ...metadata }, spec: template.spec };
  const apiVersion = kind === 'ReplicationController' ? 'v1' : kind.endsWith('Job') ? 'batch/v1' : 'apps/v1';
  const spec: { [key: string]: Value } = { template };
  if (kind === 'CronJob')
    return { apiVersion, kind, metadata: name, spec: { schedule: '*/5 * * * *', jobTemplate: { spec } } };
  return { apiVersion, kind, metadata: name, spec: { replicas: random.int(4), ...spec } };
}

function empties(random: Random, untouched: boolean, into: { [key: string]: Value }, key: string, full: Value): void {
  if (random.chance(20)) return;
  const nothing = Array.isArray(full) ? [] : {};
  const empty = [nothing, null, new Raw(random.pick(['~', 'null', 'Null', '']))];
  into[key] = untouched || random.chance(50) ? full : random.pick<Value>(empty);
}

function podSpec(random: Random, untouched: boolean): { [key: string]: Value } {
  const spec: { [key: string]: Value } = {};
  if (random.chance(30)) spec.serviceAccountName = 'web';
  if (random.chance(20)) spec.terminationGracePeriodSeconds = 60;
  if (random.chance(20)) spec.enableServiceLinks = random.chance(50);
  empties(random, untouched, spec, 'volumes', [
    { name: 'config', configMap: { name: 'c', defaultMode: new Raw('0440') } },
  ]);
  if (random.chance(40))
    empties(random, untouched, spec, 'initContainers', [{ name: 'migrate', image: 'migrate:1', args: ['up'] }]);
  const containers = [container(random, untouched, 0)];
  if (random.chance(30)) containers.push(container(random, untouched, 1));
  spec.containers = containers;
  if (random.chance(30)) spec.nodeSelector = { 'kubernetes.io/os': 'linux' };
  return spec;
}

function container(random: Random, untouched: boolean, at: number): { [key: string]: Value } {
  const result: { [key: string]: Value } = { name: `app${at}`, image: 'registry.example/app:1.2' };
  if (random.chance(40)) result.command = ['sh', '-c', 'set -e\n\n# not a comment\nexec app "$@"\n'];
  if (random.chance(40)) result.args = ['--mode=0440', 'yes', '12:30:45', "it's", 'a: b #c', ''];
  if (random.chance(40))
    result.env = [
      { name: 'TEXT', value: 'line\n  # deeper\n\n' },
      { name: 'ON', value: 'on' },
    ];
  result.ports = [
    { name: `http${at}`, containerPort: 3000 + at },
    { name: `udp${at}`, containerPort: 53, protocol: 'UDP' },
  ];
  if (random.chance(60)) result.livenessProbe = probe(random, at);
  if (random.chance(60)) result.readinessProbe = probe(random, at);
  if (random.chance(15))
    empties(random, untouched, result, 'lifecycle', { postStart: { exec: { command: ['true'] } } });
  if (random.chance(30)) result.resources = { limits: { memory: '64Mi' } };
  return result;
}

function probe(random: Random, at: number): { [key: string]: Value } {
  const port = random.chance(50) ? `http${at}` : 3000 + at;
  const handlers: { [key: string]: Value }[] = [
    { httpGet: { path: random.pick(['/healthz', '/a?b=1', 'plain', '']), port } },
    { httpGet: { port, httpHeaders: [{ name: 'X-Probe', value: 'a, b' }], scheme: random.pick(['HTTP', 'HTTPS']) } },
    { tcpSocket: { port } },
    { grpc: { port: 3000 + at, service: random.pick(['', 'liveness']) } },
    { exec: { command: ['true'] } },
    { httpGet: { path: '/other', port: 9 } },
  ];
  return { ...random.pick(handlers), periodSeconds: 7 };
}

function service(random: Random): { [key: string]: Value } {
  const port: { [key: string]: Value } = { port: random.pick([80, 443, 3000]) };
  if (random.chance(70)) port.targetPort = random.pick<Value>(['http0', 3000, 9999]);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [port] },
  };
}

function data(random: Random): { [key: string]: Value } {
  return { script: 'kind: Deployment\nspec:\n  containers: []\n', text: random.pick(['yes', '', 'x'.repeat(200)]) };
}

// --- spelling ---

function json(random: Random, value: Value): string {
  const plain = JSON.stringify(value, (_, item) => (item instanceof Raw ? readRaw(item.text) : item));
  return JSON.stringify(JSON.parse(plain), null, random.pick(['', '  ', '    ', '\t', ' ']));
}

function readRaw(text: string): number | null {
  return text.startsWith('0') ? Number.parseInt(text, 8) : null;
}

function documents(random: Random, objects: readonly Value[]): string {
  const head = random.pick(['', '', '# a file\n', '---\n', '--- # first\n', '# top\n---\n', '\n\n']);
  const separator = random.pick(['---\n', '---\n# next\n', '...\n---\n', '---   \n']);
  const spelled = objects.map((object) => new Speller(random).document(object));
  const text = `${head}${spelled.join(separator)}`;
  return random.chance(20) ? text.replace(/\n+$/, '') : `${text}${random.pick(['', '', '\n', '# the end\n', '...\n'])}`;
}

class Speller {
  readonly #random: Random;
  readonly #anchors = new Map<string, string>();
  readonly #comments: number;

  constructor(random: Random) {
    this.#random = random;
    this.#comments = random.pick([0, 0, 10, 40]);
  }

  document(value: Value): string {
    return this.#map(value as { [key: string]: Value }, 0, true);
  }

  /** Lines of a map at a column; without `whole` its first line has the indentation already. */
  #map(map: { [key: string]: Value }, column: number, whole: boolean): string {
    const pad = ' '.repeat(column);
    return Object.entries(map)
      .map(([key, value], at) => {
        const lead = at === 0 && !whole ? '' : `${this.#above(pad, at)}${pad}`;
        return `${lead}${this.#key(key)}:${this.#after(key, value, column)}`;
      })
      .join('');
  }

  #above(pad: string, at: number): string {
    const random = this.#random;
    if (!random.chance(this.#comments)) return '';
    const comment = random.pick([
      `${pad}# about this\n`,
      `${pad}# one\n${pad}# two\n`,
      '# at the margin\n',
      '\n',
      `${pad}#\n\n`,
    ]);
    // Above the first key of a map, a comment of any column is fine, too.
    return at === 0 && random.chance(50) ? '' : comment;
  }

  #key(key: string): string {
    return this.#random.chance(4) ? JSON.stringify(key) : key;
  }

  /** What follows a colon, to the end of the value's last line. */
  #after(key: string, value: Value, column: number): string {
    const random = this.#random;
    if (value instanceof Raw) return `${value.text === '' ? '' : ' '}${value.text}${this.#end()}`;
    if (value === null) return this.#end();
    if (typeof value !== 'object') return this.#scalar(value, column);
    const alias = key.endsWith('Probe') ? this.#alias(value) : undefined;
    if (alias?.startsWith('*')) return ` ${alias}${this.#end()}`;
    const anchor = alias === undefined ? '' : ` ${alias}`;
    const size = Array.isArray(value) ? value.length : Object.keys(value).length;
    if (size === 0 || random.chance(6)) return `${anchor} ${this.#flow(value, column + 1)}${this.#end()}`;
    const comment = this.#end();
    if (Array.isArray(value))
      return `${anchor}${comment}${this.#list(value, column + random.pick([0, 0, 2, 2, 1, 3]))}`;
    return `${anchor}${comment}${this.#map(value, column + random.pick([2, 2, 2, 4, 1, 3]), true)}`;
  }

  /** An anchor for a probe that comes for the first time in its container, an alias for its like. */
  #alias(value: Value): string | undefined {
    const text = JSON.stringify(value);
    const known = this.#anchors.get(text);
    if (known !== undefined) return `*${known}`;
    if (!this.#random.chance(30)) return undefined;
    const name = `p${this.#anchors.size}`;
    this.#anchors.set(text, name);
    return `&${name}`;
  }

  #list(list: readonly Value[], column: number): string {
    const pad = ' '.repeat(column);
    return list
      .map((item, at) => {
        const gap = ' '.repeat(this.#random.pick([1, 1, 1, 1, 2, 3]));
        const lead = `${this.#above(pad, at + 1)}${pad}-`;
        if (typeof item !== 'object' || item === null || item instanceof Raw)
          return `${lead}${this.#scalar(item as string, column)}`;
        if (this.#random.chance(6)) return `${lead} ${this.#flow(item, column + 2)}${this.#end()}`;
        if (this.#random.chance(4))
          return `${lead}${this.#end()}${this.#map(item as { [key: string]: Value }, column + this.#random.pick([1, 2, 4]), true)}`;
        return `${lead}${gap}${this.#map(item as { [key: string]: Value }, column + 1 + gap.length, false)}`;
      })
      .join('');
  }

  #scalar(value: string | number | boolean, column: number): string {
    const random = this.#random;
    if (typeof value !== 'string') return ` ${value}${this.#end()}`;
    if (value.includes('\n') && random.chance(80)) return this.#block(value, column);
    const isImage = value.includes(':1');
    if (isImage && random.chance(10)) return ` >-\n${' '.repeat(column + random.pick([1, 2, 3]))}${value}\n`;
    const tag = isImage && random.chance(10) ? ' !!str' : '';
    const plain =
      /^[A-Za-z/][A-Za-z0-9/.-]*(:[0-9.]+)?$/.test(value) && !/^(yes|no|on|off|y|n|true|false|null|~)$/i.test(value);
    const single = value.includes('\n') ? undefined : `'${value.replaceAll("'", "''")}'`;
    const spelled =
      plain && random.chance(80)
        ? value
        : random.chance(50)
          ? (single ?? JSON.stringify(value))
          : JSON.stringify(value);
    return `${tag} ${spelled}${this.#end(true)}`;
  }

  /** Literal; its content has an indentation of its own. */
  #block(value: string, column: number): string {
    const pad = ' '.repeat(column + this.#random.pick([1, 2, 4]));
    const chomp = value.endsWith('\n\n') ? '+' : value.endsWith('\n') ? '' : '-';
    const lines = value.replace(/\n$/, '').split('\n');
    return ` |${chomp}\n${lines.map((line) => (line === '' ? '\n' : `${pad}${line}\n`)).join('')}`;
  }

  /** In one line, or over several that stand at a column or deeper. */
  #flow(value: Value, column: number): string {
    const random = this.#random;
    if (value instanceof Raw) return value.text === '' ? 'null' : value.text;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const isList = Array.isArray(value);
    const members = isList
      ? value.map((item) => this.#flow(item, column + 1))
      : Object.entries(value).map(
          ([key, item]) => `${random.chance(70) ? key : JSON.stringify(key)}: ${this.#flow(item, column + 1)}`,
        );
    const pad = `\n${' '.repeat(column + random.int(3))}`;
    const isSplit = members.length > 0 && random.chance(30);
    const space = isSplit ? random.pick([pad, '', ` # opens${pad}`]) : random.pick(['', ' ']);
    const comma = isSplit
      ? `,${random.pick(['', '', ' # next'])}${pad}`
      : random.pick([', ', ', ', isList ? ',' : ', ']);
    const end = isSplit ? random.pick(['', pad, `,${pad}`]) : space;
    const text = `${space}${members.join(comma)}${end}`;
    return isList ? `[${text}]` : `{${text}}`;
  }

  /** A tab may stand before a comment only behind a value: Kubernetes' reader takes it nowhere else. */
  #end(isBehindValue = false): string {
    const random = this.#random;
    const gaps = isBehindValue ? [' ', '   ', '\t'] : [' ', '   '];
    if (random.chance(this.#comments / 3)) return `${random.pick(gaps)}# here\n`;
    return random.chance(3) ? '  \n' : '\n';
  }
}
