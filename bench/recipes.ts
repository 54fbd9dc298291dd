// The table of recipes: how each lane's program is found, asked for its version, and started.
// Peers that read a configuration have a template in bench/peers/; the rest is told by flags.
import { join } from 'node:path';
import { findLibrary, findProgram, type Workshop } from './drive/workshop.ts';
import type { Options } from './options.ts';

export type Place = { readonly program: string; readonly config: string; readonly port: number; readonly app: number };

export type Recipe = {
  readonly name: string;
  /** `app`: asked directly, no TLS; `http`: a reverse proxy; `tcp`: terminates TLS and knows no HTTP. */
  readonly kind: 'app' | 'http' | 'tcp';
  readonly ours?: boolean;
  readonly quick?: boolean;
  /** Looked for in this order. */
  readonly programs: readonly string[];
  version(program: string): string[];
  /** File name in bench/peers/. */
  readonly template?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Of nginx; off where it is not said. */
  readonly accessLog?: string;
  /** Ids of the only rows that it is in. */
  readonly rows?: readonly string[];
  /** Starts its runtime with nothing to do. */
  readonly bare?: readonly string[];
  command(place: Place): string[];
};

export function recipesOf(options: Options, workshop: Workshop): Recipe[] {
  const ours = options.programs.flatMap((program) =>
    options.nodes.flatMap((node, index) => {
      const nodeLabel = options.nodes.length > 1 ? String(index + 1) : '';
      const label = [program.label, nodeLabel].filter((part) => part !== '').join('.');
      return ourRecipes({ node, path: program.path, suffix: label === '' ? '' : `@${label}` }, workshop);
    }),
  );
  return [...peerRecipes(workshop), ...ours];
}

/** Where a log for each request, and metrics, are compared with none. */
const loggedRows = ['h1-small', 'h2-small'];
/** Where it counts how the program was started. */
const startedRows = ['start', 'memory', 'memory-h2'];

const goVersion = () => ['go', 'version'];
const oneGoCore = { GOMAXPROCS: '1' };

function peerRecipes({ programs, cert, key, file, folder }: Workshop): Recipe[] {
  return [
    {
      name: 'app',
      kind: 'app',
      quick: true,
      programs: [programs.app],
      version: goVersion,
      env: oneGoCore,
      command: ({ program, port }) => [program, '-listen', `127.0.0.1:${port}`, '-file', file],
    },
    {
      name: 'nginx',
      kind: 'http',
      quick: true,
      programs: ['nginx'],
      version: (program) => [program, '-v'],
      template: 'nginx.conf',
      command: ({ program, config }) => [program, '-c', config, '-e', 'stderr'],
    },
    {
      name: 'nginx+log',
      kind: 'http',
      programs: ['nginx'],
      version: (program) => [program, '-v'],
      template: 'nginx.conf',
      accessLog: '/dev/null',
      rows: loggedRows,
      command: ({ program, config }) => [program, '-c', config, '-e', 'stderr'],
    },
    {
      name: 'haproxy',
      kind: 'http',
      programs: ['haproxy'],
      version: (program) => [program, '-v'],
      template: 'haproxy.cfg',
      command: ({ program, config }) => [program, '-db', '-f', config],
    },
    {
      name: 'hitch',
      kind: 'tcp',
      programs: ['hitch'],
      version: (program) => [program, '--version'],
      template: 'hitch.conf',
      command: ({ program, config }) => [program, `--config=${config}`],
    },
    {
      name: 'stunnel',
      kind: 'tcp',
      programs: ['stunnel', 'stunnel4'],
      version: (program) => [program, '-version'],
      template: 'stunnel.conf',
      command: ({ program, config }) => [program, config],
    },
    {
      name: 'ghostunnel',
      kind: 'tcp',
      programs: ['ghostunnel'],
      version: (program) => [program, '--version'],
      env: oneGoCore,
      command: ({ program, port, app }) =>
        [program, 'server', '--listen', `127.0.0.1:${port}`, '--target', `127.0.0.1:${app}`].concat(
          ['--cert', cert, '--key', key, '--disable-authentication', '--quiet', 'all'], // no client certificates, no log
        ),
    },
    {
      name: 'go-httputil',
      kind: 'http',
      programs: [programs.httputil],
      version: goVersion,
      env: oneGoCore,
      command: ({ program, port, app }) =>
        [program, '-listen', `127.0.0.1:${port}`, '-upstream', `http://127.0.0.1:${app}`].concat(
          ['-cert', cert, '-key', key], // as the flags of its main.go
        ),
    },
    {
      name: 'caddy',
      kind: 'http',
      programs: ['caddy'],
      version: (program) => [program, 'version'],
      template: 'Caddyfile',
      env: { ...oneGoCore, XDG_CONFIG_HOME: join(folder, 'caddy'), XDG_DATA_HOME: join(folder, 'caddy') },
      command: ({ program, config }) => [program, 'run', '--adapter', 'caddyfile', '--config', config],
    },
  ];
}

type Build = { readonly node: string; readonly path: string; readonly suffix: string };

type Manner = {
  readonly forwarder: 'http-proxy' | 'wire';
  /** Behind the forwarder's name. */
  readonly mark?: string;
  readonly quick?: boolean;
  readonly rows?: readonly string[];
  /** With access log, metrics and admin port, as they are by default; the log goes to /dev/null. */
  readonly logged?: boolean;
  /** As `node dist/proxy.js`, without what the image adds. */
  readonly byHand?: boolean;
};

const manners: readonly Manner[] = [
  { forwarder: 'http-proxy', quick: true },
  { forwarder: 'wire', quick: true },
  { forwarder: 'wire', mark: '+log', rows: loggedRows, logged: true },
  { forwarder: 'wire', mark: '+hand', rows: startedRows, byHand: true },
];

/** What the image adds: see the Dockerfile. */
const imageFlags = ['--max-semi-space-size=8'];
const imageMalloc = {
  MALLOC_CONF: 'narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true,thp:never',
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

function ourRecipes(build: Build, { cert, key }: Workshop): Recipe[] {
  const { node, path, suffix } = build;
  if (findProgram(node) === undefined) throw new Error(`--node ${node}: there is no such program`);
  const jemalloc = findLibrary('libjemalloc.so.2');
  const imageEnv = { ...imageMalloc, ...(jemalloc === undefined ? {} : { LD_PRELOAD: jemalloc }) };
  return manners.map(({ forwarder, mark = '', quick = false, rows, logged = false, byHand = false }) => ({
    name: forwarder + mark + suffix,
    kind: 'http',
    ours: true,
    quick,
    ...(rows === undefined ? {} : { rows }),
    programs: [path.includes('/') ? path : `./${path}`],
    version: () => [node, '-v'],
    env: byHand ? {} : imageEnv,
    bare: [node, '-e', '0'],
    command: ({ program, port, app }) => {
      // By environment, as in a Pod.
      const options = { CERT: cert, KEY: key, LISTEN: `127.0.0.1:${port}`, UPSTREAM: `http://127.0.0.1:${app}` };
      const silent = { ADMIN: 'off', ACCESS_LOG: 'off', LOG_LEVEL: 'error' };
      const chosen = { ...options, FORWARDER: forwarder, ...(logged ? { ADMIN: '127.0.0.1:0' } : silent) };
      const variables = Object.entries(chosen).map(([name, value]) => `TLS_SIDECAR_${name}=${value}`);
      const run = ['env', ...variables, node, ...(byHand ? [] : imageFlags), program];
      return logged ? ['sh', '-c', 'exec "$0" "$@" >/dev/null', ...run] : run;
    },
  }));
}
