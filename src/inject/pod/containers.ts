// The containers and the volume that an injection adds, with the names and numbers that the documentation has.

import type { JsonObject } from '../edits/objects.ts';
import type { InjectSettings } from '../settings.ts';
import type { TlsPort } from './tls-ports.ts';

export const SIDECAR = 'tls-sidecar';
export const INIT = 'tls-sidecar-init';
export const CERTS = 'tls-sidecar-certs';

const CERTS_PATH = '/etc/tls-sidecar/certs';
const DEFAULT_ADMIN_PORT = 9901;

/** What both containers may do under Pod Security "restricted"; the init container needs one capability more. */
const CONFINED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
};
const SECCOMP = { seccompProfile: { type: 'RuntimeDefault' } };

export type SidecarNeeds = {
  readonly tlsPorts: readonly TlsPort[];
  /** Values of --probe. */
  readonly probes: readonly string[];
  /** Names of ports that other containers of the Pod have. */
  readonly portNames: readonly string[];
};

/** A native sidecar: it is started before the app, and stopped after it (KEP-753). */
export function sidecarContainer(settings: InjectSettings, needs: SidecarNeeds): JsonObject {
  const { image, adminPort, cpuRequest, memoryRequest, memoryLimit } = settings;
  const probe = (path: string, more: JsonObject): JsonObject => ({
    httpGet: { path, port: adminPort },
    ...more,
    timeoutSeconds: 3,
  });
  // A comma would end a value in the environment's list, and not in an argument.
  const listed = needs.probes.every((one) => !one.includes(','));
  return {
    name: SIDECAR,
    image,
    restartPolicy: 'Always',
    ...(!listed && { args: needs.probes.map((one) => `--probe=${literal(one)}`) }),
    env: environmentOf(settings, needs, listed),
    ports: portsOf(settings, needs),
    startupProbe: { ...probe('/startupz', { periodSeconds: 1 }), failureThreshold: 60 },
    readinessProbe: probe('/readyz', { periodSeconds: 5 }),
    livenessProbe: { ...probe('/livez', { periodSeconds: 10 }), failureThreshold: 6 },
    // SIGTERM comes when the app is gone already: connections are drained before it, while the app still answers.
    lifecycle: { preStop: { exec: { command: ['/nodejs/bin/node', '/app/proxy.js', 'drain'] } } },
    securityContext: {
      runAsUser: 65532,
      runAsGroup: 65532,
      runAsNonRoot: true,
      ...CONFINED,
      capabilities: { drop: ['ALL'] },
      ...SECCOMP,
    },
    resources: { requests: { cpu: cpuRequest, memory: memoryRequest }, limits: { memory: memoryLimit } },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    // The directory, never a subPath: a file mounted by subPath does not follow the Secret's changes.
    volumeMounts: [{ name: CERTS, mountPath: CERTS_PATH, readOnly: true }],
  };
}

function environmentOf(settings: InjectSettings, { tlsPorts, probes }: SidecarNeeds, listed: boolean): JsonObject[] {
  const { adminPort, options } = settings;
  const values: Record<string, string> = {
    TLS_SIDECAR_LISTEN: tlsPorts.map(({ listen }) => `:${listen}`).join(','),
    TLS_SIDECAR_UPSTREAM: tlsPorts.map(({ app }) => `http://localhost:${app}`).join(','),
    ...(adminPort !== DEFAULT_ADMIN_PORT && { TLS_SIDECAR_ADMIN: `:${adminPort}` }),
    TLS_SIDECAR_DRAIN_DELAY: '5s',
    ...(listed && probes.length > 0 && { TLS_SIDECAR_PROBE: probes.join(',') }),
    ...options,
  };
  return Object.entries(values).map(([name, value]) => ({ name, value: literal(value) }));
}

/** Kubernetes would replace `$(NAME)` in arguments and values; `$$` is a plain dollar sign there. */
function literal(text: string): string {
  return text.replaceAll('$(', '$$$$(');
}

function portsOf({ adminPort }: InjectSettings, { tlsPorts, portNames }: SidecarNeeds): JsonObject[] {
  const names = tlsPorts.map((_, at) => (at === 0 ? 'https' : `https-${at + 1}`));
  const free = (name: string): string => (portNames.includes(name) ? `tls-${name}` : name);
  const ports = tlsPorts.map(({ listen }, at) => ({ name: free(names[at] ?? 'https'), containerPort: listen }));
  return [...ports, { name: 'tls-metrics', containerPort: adminPort }];
}

/** Redirects the app's ports to the sidecar, in the Pod's own network. It ends before anything else starts. */
export function initContainer({ initImage }: InjectSettings, tlsPorts: readonly TlsPort[]): JsonObject {
  const fromPod = (name: string, fieldPath: string): JsonObject => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    name: INIT,
    image: initImage,
    env: [
      { name: 'REDIRECT', value: tlsPorts.map(({ app, listen }) => `${app}:${listen}`).join(',') },
      fromPod('POD_IP', 'status.podIP'),
      fromPod('HOST_IP', 'status.hostIP'),
    ],
    securityContext: {
      runAsUser: 0,
      runAsNonRoot: false,
      privileged: false,
      ...CONFINED,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
      ...SECCOMP,
    },
    resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

export function certsVolume({ secret }: InjectSettings): JsonObject {
  return { name: CERTS, secret: { secretName: secret } };
}
