// The Pod's network, in place of a CNI plugin: a network namespace for the node, from which clients and probes come, and a cable
// from it into the Pod, with an address of each family at both ends. The machine's own network is not touched.

import { run } from './command.ts';

export const POD = { v4: '10.99.0.1', v6: 'fd99::1' };
export const NODE = { v4: '10.99.0.2', v6: 'fd99::2' };

export interface NodeNetwork {
  readonly namespace: string;
  close(): Promise<void>;
}

export async function openNode(): Promise<NodeNetwork> {
  const namespace = `tls-node-${process.pid}`;
  await run('ip', ['netns', 'add', namespace]);
  await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  return {
    namespace,
    async close() {
      await run('ip', ['netns', 'delete', namespace]);
    },
  };
}

/** From the namespace that this process is in, to the one of the process that holds the Pod's open. */
export async function connectPod(pid: number): Promise<void> {
  await run('ip', ['link', 'add', 'pod0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  const inPod = ['nsenter', '--target', String(pid), '--net', 'ip'];
  for (const [ip, device, { v4, v6 }] of [[['ip'], 'pod0', NODE] as const, [inPod, 'eth0', POD] as const]) {
    const [command = '', ...before] = ip;
    await run(command, [...before, 'address', 'add', `${v4}/24`, 'dev', device]);
    await run(command, [...before, 'address', 'add', `${v6}/64`, 'dev', device, 'nodad']);
    await run(command, [...before, 'link', 'set', device, 'up']);
  }
}
