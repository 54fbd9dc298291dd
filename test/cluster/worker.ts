// containerd with runc, the kubelet and kube-proxy: what makes the namespaces a node that runs Pods. Pods hang on a bridge
// (the CNI plugins of Debian); Services are nftables rules of kube-proxy, in the node's own network namespace.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from './access.ts';
import type { Api } from './api.ts';
import { run } from './command.ts';
import { type Daemon, mustRun, startDaemon } from './daemon.ts';
import type { Image } from './images.ts';
import { PAUSE } from './images.ts';
import { hasCondition } from './objects.ts';
import { type Folders, NODE } from './place.ts';
import { until } from './wait.ts';

const SOCKET = '/run/containerd/containerd.sock';
export const CNI_PLUGINS = '/usr/lib/cni';

export async function startContainerd(folders: Folders, images: readonly Image[]): Promise<void> {
  const net = join(folders.data, 'cni');
  await mkdir(net, { recursive: true });
  await writeFile(join(net, '10-bridge.conflist'), JSON.stringify(bridge));
  const config = join(folders.data, 'containerd.toml');
  await writeFile(config, containerdConfig(folders, net));
  const containerd = await startDaemon(folders, 'containerd', ['--config', config]);
  const ctr = (args: readonly string[]) => run('ctr', ['-a', SOCKET, '-n', 'k8s.io', ...args], { limitMs: 180_000 });
  await until(
    async () => {
      await mustRun(containerd);
      return (await ctr(['version'])) !== '';
    },
    { what: 'containerd to answer', limitMs: 60_000 },
  );
  for (const { archive } of images) await ctr(['images', 'import', archive]);
}

/** Sends a signal to the first process of a container, from outside of it. */
export async function signalContainer(id: string, signal: string): Promise<void> {
  await run('ctr', ['-a', SOCKET, '-n', 'k8s.io', 'tasks', 'kill', '-s', signal, id]);
}

const bridge = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni',
        ranges: [[{ subnet: NODE.pods }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

function containerdConfig(folders: Folders, net: string): string {
  return `version = 2
root = "${join(folders.data, 'containerd')}"
state = "/run/containerd"
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  # Without CAP_SYS_RESOURCE nobody may lower a process's oom_score_adj.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PLUGINS}"
    conf_dir = "${net}"
`;
}

export async function startKubelet(folders: Folders, access: Access, api: Api, cgroup: string): Promise<void> {
  const root = join(folders.data, 'kubelet');
  await mkdir(root, { recursive: true });
  const config = join(folders.data, 'kubelet.json');
  await writeFile(config, JSON.stringify(kubeletConfig(folders, cgroup)));
  const kubelet = await startDaemon(folders, join(folders.programs, 'kubelet'), [
    `--config=${config}`,
    `--kubeconfig=${access.kubeconfig('kubelet')}`,
    `--hostname-override=${NODE.name}`,
    `--node-ip=${NODE.address}`,
    `--root-dir=${root}`,
  ]);
  await nodeIsReady(api, kubelet);
}

async function nodeIsReady(api: Api, kubelet: Daemon): Promise<void> {
  await until(
    async () => {
      await mustRun(kubelet);
      const node = await api.find(`/api/v1/nodes/${NODE.name}`);
      if (node === undefined) throw new Error('the kubelet has not registered the node');
      if (!hasCondition(node, 'Ready')) throw new Error(JSON.stringify(node.status).slice(0, 600));
      return true;
    },
    { what: 'the node to be ready' },
  );
}

function kubeletConfig(folders: Folders, cgroup: string) {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    // From 1.35 on, a kubelet on cgroup v1 has to be told that this is meant.
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    failSwapOn: false,
    oomScoreAdj: 0,
    // Nobody reaches it but from inside of the node.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    certDirectory: join(folders.data, 'kubelet', 'pki'),
    podLogsDir: '/var/log/pods',
    volumePluginDir: join(folders.data, 'kubelet', 'plugins'),
    resolvConf: '',
    makeIPTablesUtilChains: false,
    // A changed Secret is in its volume within some seconds; the default is a minute and more.
    syncFrequency: '5s',
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
  };
}

export async function startKubeProxy(folders: Folders, access: Access): Promise<void> {
  const proxy = await startDaemon(folders, join(folders.programs, 'kube-proxy'), [
    `--kubeconfig=${access.kubeconfig('kube-proxy')}`,
    `--hostname-override=${NODE.name}`,
    '--proxy-mode=nftables',
    `--cluster-cidr=${NODE.pods}`,
    '--oom-score-adj=0',
    // Leaves the limits of connection tracking, which are the machine's, as they are.
    '--conntrack-max-per-core=0',
    '--conntrack-tcp-timeout-established=0s',
    '--conntrack-tcp-timeout-close-wait=0s',
  ]);
  await until(
    async () => {
      await mustRun(proxy);
      return (await run('nft', ['list', 'table', 'ip', 'kube-proxy'])).includes('chain services');
    },
    { what: 'the rules of kube-proxy', limitMs: 60_000 },
  );
}
