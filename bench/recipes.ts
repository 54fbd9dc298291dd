// The table of recipes: how each lane's program is found, asked for its version, and started.
// Peers that read a configuration have a template in bench/peers/; the rest is told by flags.
import { join } from 'node:path';
import { findProgram, type Workshop } from './drive/workshop.ts';
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

function ourRecipes({ node, path, suffix }: Build, { cert, key }: Workshop): Recipe[] {
  if (findProgram(node) === undefined) throw new Error(`--node ${node}: there is no such program`);
  return ['http-proxy', 'wire'].map((forwarder) => ({
    name: forwarder + suffix,
    kind: 'http',
    ours: true,
    quick: true,
    programs: [path.includes('/') ? path : `./${path}`],
    version: () => [node, '-v'],
    command: ({ program, port, app }) =>
      [node, program, '--cert', cert, '--key', key, '--listen', `127.0.0.1:${port}`]
        .concat(['--upstream', `http://127.0.0.1:${app}`, '--forwarder', forwarder])
        .concat(['--admin', 'off', '--access-log', 'off', '--log-level', 'error']),
  }));
}
