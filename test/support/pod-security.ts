// The Pod Security Standards as a judge: which controls of "baseline" and "restricted" a Pod's spec breaks. Written from the
// published tables (kubernetes.io/docs/concepts/security/pod-security-standards, as of Kubernetes 1.35) for Linux Pods.

type Fields = { readonly [key: string]: unknown };

export type Verdict = { readonly baseline: readonly string[]; readonly restricted: readonly string[] };

const BASELINE_CAPABILITIES = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];
const RESTRICTED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
];
const SELINUX_TYPES = [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

/** What a level breaks, a line each as `tls-sidecar: capabilities.add NET_ADMIN`; the Pod itself is called `Pod`. */
export function judge(spec: Fields): Verdict {
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((key) => list(spec[key]));
  const pod = fields(spec.securityContext);
  return {
    baseline: [...podBaseline(spec, pod), ...containers.flatMap(containerBaseline)],
    restricted: [...podRestricted(spec, pod), ...containers.flatMap((one) => containerRestricted(one, pod))],
  };
}

function podBaseline(spec: Fields, pod: Fields): string[] {
  const hosts = ['hostNetwork', 'hostPID', 'hostIPC'].filter((key) => spec[key] === true);
  const volumes = list(spec.volumes).filter((volume) => volume.hostPath !== undefined);
  const sysctls = list(pod.sysctls).filter(({ name }) => !SAFE_SYSCTLS.includes(String(name)));
  return [
    ...hosts.map((key) => `Pod: ${key}`),
    ...volumes.map(({ name }) => `Pod: hostPath volume ${name}`),
    ...sysctls.map(({ name }) => `Pod: sysctl ${name}`),
    ...confinement('Pod', pod),
  ];
}

function containerBaseline(container: Fields): string[] {
  const context = fields(container.securityContext);
  const name = String(container.name);
  const added = texts(fields(context.capabilities).add).filter((one) => !BASELINE_CAPABILITIES.includes(one));
  const hostPorts = list(container.ports).filter(({ hostPort }) => hostPort !== undefined && hostPort !== 0);
  return [
    ...(context.privileged === true ? [`${name}: privileged`] : []),
    ...added.map((one) => `${name}: capabilities.add ${one}`),
    ...hostPorts.map(({ hostPort }) => `${name}: hostPort ${hostPort}`),
    ...([undefined, '', 'Default'].includes(context.procMount as string) ? [] : [`${name}: procMount`]),
    ...hostsOfProbes(container).map((host) => `${name}: host ${host} in a probe or hook`),
    ...confinement(name, context),
  ];
}

/** Of Pods and containers alike. */
function confinement(name: string, context: Fields): string[] {
  const linux = fields(context.seLinuxOptions);
  return [
    ...(fields(context.windowsOptions).hostProcess === true ? [`${name}: hostProcess`] : []),
    ...(fields(context.seccompProfile).type === 'Unconfined' ? [`${name}: seccomp Unconfined`] : []),
    ...(fields(context.appArmorProfile).type === 'Unconfined' ? [`${name}: AppArmor Unconfined`] : []),
    ...(SELINUX_TYPES.includes(linux.type as string) && !linux.user && !linux.role ? [] : [`${name}: seLinuxOptions`]),
  ];
}

function hostsOfProbes(container: Fields): string[] {
  const lifecycle = fields(container.lifecycle);
  const handlers = [
    container.startupProbe,
    container.livenessProbe,
    container.readinessProbe,
    lifecycle.postStart,
    lifecycle.preStop,
  ];
  const targets = handlers.flatMap((handler) => [fields(handler).httpGet, fields(handler).tcpSocket]);
  return targets.flatMap((target) => (fields(target).host ? [String(fields(target).host)] : []));
}

function podRestricted(spec: Fields, pod: Fields): string[] {
  const volumes = list(spec.volumes).filter((volume) => {
    const types = Object.keys(volume).filter((key) => key !== 'name');
    return types.some((type) => !RESTRICTED_VOLUMES.includes(type));
  });
  return [
    ...volumes.map(({ name }) => `Pod: type of volume ${name}`),
    ...(pod.runAsUser === 0 ? ['Pod: runAsUser 0'] : []),
  ];
}

function containerRestricted(container: Fields, pod: Fields): string[] {
  const context = fields(container.securityContext);
  const name = String(container.name);
  const capabilities = fields(context.capabilities);
  const seccomp = fields(context.seccompProfile).type ?? fields(pod.seccompProfile).type;
  return [
    ...(context.allowPrivilegeEscalation === false ? [] : [`${name}: allowPrivilegeEscalation`]),
    ...((context.runAsNonRoot ?? pod.runAsNonRoot) === true ? [] : [`${name}: runAsNonRoot`]),
    ...(context.runAsUser === 0 ? [`${name}: runAsUser 0`] : []),
    ...(seccomp === 'RuntimeDefault' || seccomp === 'Localhost' ? [] : [`${name}: seccompProfile`]),
    ...(texts(capabilities.drop).includes('ALL') ? [] : [`${name}: capabilities.drop`]),
    ...texts(capabilities.add)
      .filter((one) => one !== 'NET_BIND_SERVICE')
      .map((one) => `${name}: capabilities.add ${one}`),
  ];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
