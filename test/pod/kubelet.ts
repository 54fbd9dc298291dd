// What the kubelet does with a Pod that has a native sidecar, by KEP-753 and the documents of the Pod's lifecycle, over podman:
// init containers in their order, the app when the sidecar's startup probe succeeds; at the end all preStop hooks at once,
// SIGTERM to the app after its own, to the sidecar after the last app. Emulated: there is no cluster here.

import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/poll.ts';
import { run } from './command.ts';
import { type ContainerSpec, type HttpProbe, type Place, type PodSpec, podmanFlags } from './manifest.ts';
import { connectPod } from './network.ts';

export type Container = { readonly spec: ContainerSpec; readonly id: string };
export type Ended = { readonly name: string; readonly code: number; readonly atMs: number };

export interface Pod {
  readonly sidecar: Container;
  readonly app: Container;
  /** Of the containers that ran to their end before the others started. */
  readonly done: readonly Container[];
  /** Each container as it was started, and how long it took until its probe succeeded. */
  readonly started: readonly { name: string; startupMs: number | undefined }[];
  pid(container: Container): Promise<number>;
  logs(container: Container): Promise<string>;
  exec(container: Container, ...command: string[]): Promise<string>;
  inspect(container: Container, format: string): Promise<string>;
  /** As after an exit: the container once more. Resolves when its startup probe has succeeded. */
  restart(container: Container): Promise<void>;
  /** Resolves when all have ended, in the order in which they did. */
  terminate(): Promise<Ended[]>;
  /** Whatever runs is killed, and all of it removed. */
  remove(): Promise<void>;
}

export type PodOptions = {
  readonly spec: PodSpec;
  readonly place: Place;
  readonly address: string;
  /** The image of the container that holds the Pod's namespaces open; it has `sleep`. */
  readonly infra: string;
};

export async function startPod({ spec, place, address, infra }: PodOptions): Promise<Pod> {
  const podman = (...args: string[]): Promise<string> => run('podman', args);
  const sleep = ['--infra-image', infra, '--infra-command', 'sleep infinity'];
  const id = await podman('pod', 'create', ...sleep, '--network', 'none');
  const remove = (): Promise<string> => podman('pod', 'rm', '--force', '--time', '0', id);
  const started: { name: string; startupMs: number | undefined }[] = [];
  const graceMs = spec.terminationGracePeriodSeconds * 1000;

  const create = async (container: ContainerSpec): Promise<Container> => {
    const flags = ['--pull', 'never', '--pod', id, ...podmanFlags(container, place)];
    return { spec: container, id: await podman('create', ...flags, container.image) };
  };
  const start = async ({ spec: { name, startupProbe }, id: containerId }: Container): Promise<void> => {
    const before = performance.now();
    await podman('start', containerId);
    if (startupProbe !== undefined)
      await untilStarted(startupProbe, address, name).catch(async (error: unknown) => {
        throw new Error(`${name} did not start: ${(await podman('logs', containerId)) || 'it says nothing'}`, {
          cause: error,
        });
      });
    started.push({ name, startupMs: startupProbe && performance.now() - before });
  };
  const state = async (container: Container): Promise<[status: string, pid: number, code: number]> => {
    const format = '{{.State.Status}} {{.State.Pid}} {{.State.ExitCode}}';
    const [status = '', pid, code] = (await podman('inspect', '--format', format, container.id)).split(' ');
    return [status, Number(pid), Number(code)];
  };
  // Not by `podman wait`, which in 4.3 may come back 20 s late.
  const end = async (container: Container): Promise<Ended> => {
    const [, pid] = await state(container);
    const wait = { deadlineMs: graceMs, what: `${container.spec.name} to end`, everyMs: 5 };
    await eventually(() => pid === 0 || !isRunning(pid), wait);
    const atMs = performance.now();
    const code = await eventually(
      async () => {
        const [status, , exitCode] = await state(container);
        return ['stopped', 'exited'].includes(status) && { exitCode };
      },
      { ...wait, what: `podman to see ${container.spec.name} end` },
    );
    return { name: container.spec.name, code: code.exitCode, atMs };
  };

  try {
    await podman('pod', 'start', id);
    const holder = await podman('pod', 'inspect', '--format', '{{.InfraContainerID}}', id);
    await connectPod(Number(await podman('inspect', '--format', '{{.State.Pid}}', holder)));

    const done: Container[] = [];
    let sidecar: Container | undefined;
    for (const one of spec.initContainers) {
      const container = await create(one);
      await start(container);
      if (one.restartPolicy === 'Always') sidecar = container;
      else {
        const { code } = await end(container);
        if (code !== 0) throw new Error(`${one.name} ended with ${code}: ${await podman('logs', container.id)}`);
        done.push(container);
      }
    }
    const [first] = spec.containers;
    if (sidecar === undefined || first === undefined) throw new Error('the Pod has no native sidecar, or no app');
    const app = await create(first);
    await start(app);
    const containers = { sidecar, app };

    return {
      ...containers,
      done,
      started,
      pid: async (container) => Number(await podman('inspect', '--format', '{{.State.Pid}}', container.id)),
      logs: (container) => podman('logs', container.id),
      exec: (container, ...command) => podman('exec', container.id, ...command),
      inspect: (container, format) => podman('inspect', '--format', format, container.id),
      async restart(container) {
        await end(container);
        await start(container);
      },
      terminate: () => terminate(containers, { podman, end, graceMs }),
      async remove() {
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

type Means = {
  podman: (...args: string[]) => Promise<string>;
  end: (container: Container) => Promise<Ended>;
  graceMs: number;
};

async function terminate({ sidecar, app }: { sidecar: Container; app: Container }, means: Means): Promise<Ended[]> {
  const { podman, end, graceMs } = means;
  const ended: Ended[] = [];
  const stop = async (container: Container, ...before: Promise<unknown>[]): Promise<void> => {
    await Promise.all(before);
    // The image's STOPSIGNAL, as the container runtime has it sent.
    const signal = (await podman('inspect', '--format', '{{.Config.StopSignal}}', container.id)) || '15';
    await podman('kill', '--signal', signal, container.id);
  };
  const over = [sidecar, app].map(async (container) => {
    ended.push(await end(container));
  });
  const [sidecarHook, appHook] = [sidecar, app].map((container) => preStop(container, podman));
  const [, appEnded] = over;
  const all = Promise.all([
    stop(app, appHook as Promise<void>),
    stop(sidecar, appEnded as Promise<void>, sidecarHook as Promise<void>),
    ...over,
  ]);
  const late = delay(graceMs, undefined, { ref: false }).then(() => {
    throw new Error(`the Pod had not ended after its ${graceMs} ms`);
  });
  await Promise.race([all, late]);
  return ended;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function preStop({ spec, id }: Container, podman: Means['podman']): Promise<void> {
  const { exec, sleep } = spec.lifecycle?.preStop ?? {};
  if (exec !== undefined) await podman('exec', id, ...exec.command);
  if (sleep !== undefined) await delay(sleep.seconds * 1000);
}

async function untilStarted(probe: HttpProbe, address: string, name: string): Promise<void> {
  const { periodSeconds, failureThreshold = 3 } = probe;
  // Asked more often than its period, so that the time it takes to start can be told.
  const options = { deadlineMs: periodSeconds * failureThreshold * 1000, everyMs: 10, what: `${name} to start` };
  await eventually(() => succeeds(probe, address), options);
}

/** As the kubelet asks: the Pod's own address, a connection for each question, by 2xx or 3xx. */
export function succeeds({ httpGet, timeoutSeconds }: HttpProbe, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const { path, port } = httpGet;
    const options = { host, port, path, agent: false, timeout: timeoutSeconds * 1000 };
    const asked = request(options, (answer) => {
      const { statusCode = 0 } = answer;
      answer.resume();
      resolve(statusCode >= 200 && statusCode < 400);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
