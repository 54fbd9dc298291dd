// Where podman and buildah keep images and containers for this test, and how podman starts containers: a folder of our own, so
// that nothing of the machine's podman is read or changed. The images stay in it, as the next run's cache.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tls-sidecar', 'pod');

/** Writes the settings; gives the environment that podman and buildah read them from. */
export function openStorage(): NodeJS.ProcessEnv {
  mkdirSync(cache, { recursive: true });
  const storage = join(cache, 'storage.conf');
  const containers = join(cache, 'containers.conf');
  writeFileSync(
    storage,
    `[storage]\ndriver = "overlay"\ngraphroot = "${join(cache, 'root')}"\nrunroot = "${join(cache, 'run')}"\n`,
  );
  writeFileSync(containers, settings());
  return {
    ...process.env,
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_CONF: containers,
    BUILDAH_ISOLATION: 'chroot',
  };
}

/**
 * runc, because crun refuses hosts with both versions of control groups; no systemd; limits of open files and processes that
 * nothing has to be raised for, which would take CAP_SYS_RESOURCE; no sysctls of podman's own.
 */
function settings(): string {
  const [files, processes] = [openFilesLimit(), 4096];
  const netavark = ['/usr/lib/podman/netavark', '/usr/libexec/podman/netavark'].some((path) => existsSync(path));
  return `[containers]
default_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]
default_sysctls = []
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
static_dir = "${join(cache, 'libpod')}"
tmp_dir = "${join(cache, 'tmp')}"
volume_path = "${join(cache, 'volumes')}"
[network]
network_config_dir = "${join(cache, 'networks')}"
${netavark ? '' : 'network_backend = "cni"\n'}`;
}

function openFilesLimit(): number {
  const hard = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Number(hard ?? 4096);
}
