// The Pod of a manifest, read strictly: a field that is not acted on here is an error, so that nothing in k8s/ is taken for
// tested that was passed over. What a container asks for becomes flags of podman.

import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

export type HttpProbe = {
  httpGet: { path: string; port: number };
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold?: number;
};

export type ContainerSpec = {
  name: string;
  image: string;
  env?: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[];
  restartPolicy?: 'Always';
  startupProbe?: HttpProbe;
  readinessProbe?: HttpProbe;
  livenessProbe?: HttpProbe;
  lifecycle?: { preStop: { exec?: { command: string[] }; sleep?: { seconds: number } } };
  securityContext?: {
    runAsUser?: number;
    runAsGroup?: number;
    runAsNonRoot?: boolean;
    privileged?: false;
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[]; add?: string[] };
    seccompProfile?: { type: 'RuntimeDefault' };
  };
  resources?: { limits?: { memory?: string } };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
};

export type PodSpec = {
  terminationGracePeriodSeconds: number;
  initContainers: ContainerSpec[];
  containers: ContainerSpec[];
};

/** By container: a field of it, dots for those below. What takes no part without a cluster is named, too. */
const KNOWN = [
  'name image ports terminationMessagePolicy restartPolicy',
  'env.name env.value env.valueFrom.fieldRef.fieldPath',
  ...['startupProbe', 'readinessProbe', 'livenessProbe'].map(
    (probe) =>
      `${probe}.httpGet.path ${probe}.httpGet.port ${probe}.periodSeconds ${probe}.timeoutSeconds ${probe}.failureThreshold`,
  ),
  'lifecycle.preStop.exec.command lifecycle.preStop.sleep.seconds',
  'securityContext.runAsUser securityContext.runAsGroup securityContext.runAsNonRoot securityContext.privileged',
  'securityContext.allowPrivilegeEscalation securityContext.readOnlyRootFilesystem securityContext.seccompProfile.type',
  'securityContext.capabilities.drop securityContext.capabilities.add',
  'resources.requests resources.limits.memory',
  'volumeMounts.name volumeMounts.mountPath volumeMounts.readOnly',
].flatMap((fields) => fields.split(' '));

export function readPod(file: URL): PodSpec {
  const documents = parseAllDocuments(readFileSync(file, 'utf8'), { version: '1.1' });
  const pod = documents.map((document) => document.toJS()).find(({ kind }) => kind === 'Pod') as { spec: PodSpec };
  for (const container of [...pod.spec.initContainers, ...pod.spec.containers]) {
    const unknown = fieldsOf(container).filter((field) => !KNOWN.some((known) => isAt(field, known)));
    if (unknown.length > 0) throw new Error(`${container.name}: nothing here acts on ${unknown.join(', ')}`);
  }
  return pod.spec;
}

const isAt = (field: string, known: string): boolean => field === known || field.startsWith(`${known}.`);

function fieldsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(item, path));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) => fieldsOf(item, path === '' ? key : `${path}.${key}`));
}

export type Place = {
  /** `status.podIP` and so on. */
  readonly facts: Readonly<Record<string, string>>;
  /** Where each volume lies on this machine. */
  readonly volumes: Readonly<Record<string, string>>;
};

/** The kubelet mounts no tmpfs beside a read-only root, and without a profile a container has no seccomp filter. */
export function podmanFlags(spec: ContainerSpec, { facts, volumes }: Place): string[] {
  const { securityContext: security = {}, resources } = spec;
  const memory = resources?.limits?.memory;
  if (security.runAsNonRoot && !security.runAsUser) throw new Error(`${spec.name} would run as root`);
  return [
    ...(spec.env ?? []).flatMap(({ name, value, valueFrom }) => [
      '--env',
      `${name}=${value ?? facts[valueFrom?.fieldRef.fieldPath ?? ''] ?? ''}`,
    ]),
    ...(security.runAsUser === undefined
      ? []
      : ['--user', `${security.runAsUser}:${security.runAsGroup ?? security.runAsUser}`]),
    ...(security.allowPrivilegeEscalation === false ? ['--security-opt', 'no-new-privileges'] : []),
    ...(security.seccompProfile === undefined ? ['--security-opt', 'seccomp=unconfined'] : []),
    ...(security.readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...(security.capabilities?.drop ?? []).flatMap((name) => ['--cap-drop', name]),
    ...(security.capabilities?.add ?? []).flatMap((name) => ['--cap-add', name]),
    ...(memory === undefined ? [] : ['--memory', bytesOf(memory), '--memory-swap', bytesOf(memory)]),
    ...(spec.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly }) => [
      '--volume',
      `${volumes[name]}:${mountPath}${readOnly ? ':ro' : ''}`,
    ]),
  ];
}

function bytesOf(quantity: string): string {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  if (count === undefined) throw new Error(`${quantity} is not a number of Mi or Gi`);
  return String(Number(count) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20));
}
