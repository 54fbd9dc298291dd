// The commands of a user: `tls-sidecar inject`, and kubectl of the cluster's own version.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import type { Plan } from './plan.ts';

const root = new URL('../../', import.meta.url);
const program = fileURLToPath(new URL('dist/proxy.js', root));
const web = new URL('manifests/web.yaml', import.meta.url);

// The app has to outlive the drain, which begins when a process has been started in the sidecar's container. Here one machine
// is all of the cluster and its clients too: that start took up to three seconds, all that the default leaves.
const FLAGS = ['--secret', 'web-tls', '--app-prestop-sleep', '20s'];

export class Tools {
  readonly #kubectl: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor({ programs, data }: Plan, kubeconfig: string) {
    this.#kubectl = join(programs, 'kubectl');
    this.#env = { KUBECONFIG: kubeconfig, HOME: data };
  }

  /** What the user has: no TLS. */
  manifest(): string {
    return readFileSync(web, 'utf8');
  }

  inject(manifest: string, flags: readonly string[] = []): Promise<string> {
    return run(process.execPath, [program, 'inject', ...FLAGS, ...flags], { input: manifest });
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return run(this.#kubectl, args, { env: this.#env, ...(input === undefined ? {} : { input }) });
  }

  helm(args: readonly string[]): Promise<string> {
    return run('helm', args, { env: this.#env });
  }

  async apply(namespace: string, manifest: string): Promise<void> {
    await this.kubectl(['apply', '--validate=strict', '-n', namespace, '-f', '-'], manifest);
  }
}
