#!/usr/bin/env bash
# The first process of the node: it runs in mount, PID, network, host name and IPC namespaces of its own, makes them a node's,
# and runs the command that follows the folder. When it ends, the kernel ends all that was started in them, and takes back
# every mount, interface and rule.
#
#   unshare --mount --pid --fork --mount-proc --net --uts --ipc bash test/cluster/node.sh FOLDER COMMAND…
set -euo pipefail
data="$1"
shift
mount --make-rprivate /
# What the kubelet mounts beneath its folder has to be seen by containerd's containers.
mount --bind "$data" "$data"
mount --make-rshared "$data"
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/lock /run/netns

# The kubelet writes these five, which are the machine's and not the node's; it finds here that they are as it wants them.
set_for_kubelet() {
  printf '%s\n' "$2" >"$data/sysctl-${1//\//-}"
  if [ -e "/proc/sys/$1" ]; then mount --bind "$data/sysctl-${1//\//-}" "/proc/sys/$1"; fi
}
set_for_kubelet vm/overcommit_memory 1
set_for_kubelet kernel/panic 10
set_for_kubelet kernel/panic_on_oops 1
set_for_kubelet kernel/keys/root_maxkeys 1000000
set_for_kubelet kernel/keys/root_maxbytes 25000000

hostname node
# The node has one interface, and `outside` is whoever comes from beyond it. Addresses are those for documentation (RFC 5737).
ip netns add outside
ip link set lo up
ip link add eth0 type veth peer name eth0 netns outside
ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip -n outside link set lo up
ip -n outside addr add 192.0.2.2/24 dev eth0
ip -n outside link set eth0 up
ip route add default via 192.0.2.2
echo 1 >/proc/sys/net/ipv4/ip_forward
"$@"
