// etcd, the API server, the controllers and the scheduler, as one node runs them, with the flags that tell them where each
// other is and who may do what. Everything else is as Kubernetes ships it.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from './access.ts';
import type { Api } from './api.ts';
import { type Daemon, mustRun, startDaemon } from './daemon.ts';
import { type Folders, NODE } from './place.ts';
import { until } from './wait.ts';

const ETCD = 'http://127.0.0.1:2379';

export async function startApiServer(folders: Folders, access: Access, api: Api): Promise<void> {
  await mkdir(folders.logs, { recursive: true });
  const program = (name: string) => join(folders.programs, name);
  const etcd = await startDaemon(folders, program('etcd'), [
    `--data-dir=${join(folders.data, 'etcd')}`,
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    // Nothing of it outlives the run.
    '--unsafe-no-fsync',
  ]);
  const server = await startDaemon(folders, program('kube-apiserver'), [
    `--etcd-servers=${ETCD}`,
    '--bind-address=0.0.0.0',
    '--secure-port=6443',
    `--advertise-address=${NODE.address}`,
    `--service-cluster-ip-range=${NODE.services}`,
    `--tls-cert-file=${access.certFile}`,
    `--tls-private-key-file=${access.keyFile}`,
    `--token-auth-file=${access.tokenFile}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    // For logs; nobody resolves the node's name.
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${access.accountKeyFile}`,
    `--service-account-signing-key-file=${access.accountKeyFile}`,
  ]);
  await until(() => isReady(api, [etcd, server]), { what: 'the API server to be ready', limitMs: 180_000 });
}

async function isReady(api: Api, daemons: readonly Daemon[]): Promise<boolean> {
  for (const daemon of daemons) await mustRun(daemon);
  return (await api.send('GET', '/readyz')).status === 200;
}

export async function startControllers(folders: Folders, access: Access, api: Api): Promise<void> {
  const manager = await startDaemon(folders, join(folders.programs, 'kube-controller-manager'), [
    `--kubeconfig=${access.kubeconfig('kube-controller-manager')}`,
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${access.accountKeyFile}`,
    `--root-ca-file=${access.caFile}`,
    '--leader-elect=false',
  ]);
  const scheduler = await startDaemon(folders, join(folders.programs, 'kube-scheduler'), [
    `--kubeconfig=${access.kubeconfig('kube-scheduler')}`,
    '--leader-elect=false',
  ]);
  await until(
    async () => {
      for (const daemon of [manager, scheduler]) await mustRun(daemon);
      return api.find('/api/v1/namespaces/default/serviceaccounts/default');
    },
    { what: 'the controllers to make the first service account' },
  );
}
