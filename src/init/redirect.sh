#!/bin/sh
# Captures the Pod's inbound TCP ports for the sidecar, in IPv4 and IPv6, with iptables; runs once, before the app.
#
# plan() prints the exact document that apply() feeds to iptables-restore: one commit per family, so there is no
# moment with half of the rules. It is safe to run again: `:CHAIN` creates our chain or empties it, and the jump to it
# is added only where it is missing. Nothing outside our chain and that jump is ever changed.
#
# Only PREROUTING is used. The kernel consults it for connections from outside and not for those made inside the Pod,
# so the sidecar still reaches the app on localhost: no loop, and no rule about user ids.
# No rule names an interface: names come from the CNI plugin (eth0, net1, ens3 …).
set -euf

CHAIN=TLS_SIDECAR_IN
JUMP="PREROUTING -p tcp -m comment --comment tls-sidecar/inbound -j $CHAIN"

USAGE='usage: redirect --redirect FROM:TO [--redirect FROM:TO …] [--dry-run | --verify]
       redirect --cleanup [--dry-run]

  --redirect FROM:TO  inbound TCP port FROM arrives at port TO, where the sidecar listens; repeatable, or a list with
                      commas. Without it the environment counts: REDIRECT=80:8080,9090:8081
  --dry-run           print what iptables-restore would read, and change nothing
  --verify            change nothing; exit 0 if exactly these redirects are in force, else 1
  --cleanup           take the redirects out again

Set POD_IP (status.podIP) and HOST_IP (status.hostIP) from the downward API: a Pod on the host network is then refused.
Without them, a network namespace with chains of a node (KUBE-*, CNI-*) is refused.
The sidecar'\''s admin port cannot be redirected: 9901, or that of TLS_SIDECAR_ADMIN ([HOST]:PORT, or off).
Exit codes: 0 done, 1 failed, 2 wrong usage.'

# One line, also where a tool told its trouble in several.
say() { printf 'tls-sidecar-init: %s\n' "$(printf '%s' "$*" | tr '\n' ' ')"; }
fail() { say "$*" >&2; exit 1; }
misused() { say "$*" >&2; echo "$USAGE" >&2; exit 2; }

# --- what is asked ---

is_port() {
  case $1 in '' | 0* | *[!0-9]* | ??????*) return 1 ;; esac
  [ "$1" -le 65535 ]
}

# add_redirects FROM:TO[,FROM:TO…]
add_redirects() {
  for pair in $(echo "$1" | tr ',' ' '); do
    from=${pair%%:*} to=${pair#*:}
    if [ "$pair" != "$from:$to" ] || ! is_port "$from" || ! is_port "$to"; then
      misused "'$pair' is not FROM:TO with two ports between 1 and 65535, for example 80:8080"
    fi
    case " $froms " in *" $from "*) misused "port $from is redirected twice; name each FROM once" ;; esac
    froms="$froms $from" tos="$tos $to" redirects="$redirects $from:$to"
  done
}

mode=apply dry_run=no froms='' tos='' redirects=''

while [ $# -gt 0 ]; do
  case $1 in
    --redirect) [ $# -ge 2 ] || misused "--redirect needs a value, for example 80:8080"; add_redirects "$2"; shift ;;
    --redirect=*) add_redirects "${1#*=}" ;;
    --dry-run) dry_run=yes ;;
    --verify | --cleanup) [ "$mode" = apply ] || misused "--verify and --cleanup exclude each other"; mode=${1#--} ;;
    --help) echo "$USAGE"; exit 0 ;;
    *) misused "unknown argument '$1'" ;;
  esac
  shift
done
[ -n "$redirects" ] || add_redirects "${REDIRECT:-}"
if [ -z "$redirects" ] && [ "$mode" != cleanup ]; then
  misused "no port to redirect: give --redirect 80:8080 or REDIRECT=80:8080"
fi
[ "$mode$dry_run" != verifyyes ] || misused "--verify changes nothing anyway; leave --dry-run out"
for to in $tos; do
  case " $froms " in *" $to "*) misused "port $to is a FROM and a TO; the sidecar listens on a port of its own" ;; esac
done
admin=${TLS_SIDECAR_ADMIN:-:9901}
admin=${admin##*:}
case " $froms " in *" $admin "*)
  misused "port $admin is the sidecar's admin port: its probes would meet TLS there. If it is the app's port, give the" \
    "sidecar another one (TLS_SIDECAR_ADMIN=:9902), and this container the same variable" ;;
esac
case " $tos " in *" $admin "*)
  misused "port $admin is the sidecar's admin port, which speaks plain HTTP; name a port of the sidecar's --listen" ;;
esac
if [ -n "${POD_IP:-}" ] && [ "$POD_IP" = "${HOST_IP:-}" ]; then
  fail "this Pod is on the host network (POD_IP = HOST_IP = $POD_IP): the rules would capture the ports of the whole" \
    "node. Nothing was changed; remove hostNetwork: true, or point the Service's targetPort at the sidecar instead"
fi

# --- what is done; FAMILY is 4 or 6 ---

# iptables FAMILY ARGUMENT…
iptables() {
  if [ "$1" = 4 ]; then tool=iptables-$backend; else tool=ip6tables-$backend; fi
  shift
  "$tool" -w 10 -t nat "$@"
}

# A Pod's network namespace has none of these chains; kubelet, kube-proxy and CNI plugins make them on the node. What cannot
# be read may hold them: with nft that fails apply(), so that legacy is tried. A rule that needs a module which this image
# lacks ends the list, but only behind the names of the chains.
unread='' why=''

# look TOOL TABLE…
look() {
  tool=$1
  shift
  for table in "$@"; do
    listed=$("$tool" -w 10 -t "$table" -S 2>&1) || true
    chain=$(echo "$listed" | grep -E -m 1 '^-N (KUBE|CNI)-') || chain=''
    [ -z "$chain" ] || fail "this network namespace has the chain ${chain#-N }, so it is the node's own, and the rules" \
      "would capture the ports of the whole node. Nothing was changed; remove hostNetwork: true. If it is a Pod's after" \
      "all, say so with POD_IP and HOST_IP from the downward API"
    echo "$listed" | grep -q '^-P ' || unread="$unread $tool" why=${why:-$listed}
  done
}

# shellcheck disable=SC2046
refuse_node() {
  for tool in iptables-nft ip6tables-nft; do look "$tool" nat filter mangle; done
  # Only those that exist: to ask for another one would make it.
  look iptables-legacy $(cat /proc/net/ip_tables_names 2>/dev/null)
  look ip6tables-legacy $(cat /proc/net/ip6_tables_names 2>/dev/null)
  case $unread in *-legacy*)
    fail "the tables of iptables-legacy are in use and cannot be read without NET_RAW, so this may be the node's network" \
      "namespace. Nothing was changed; set POD_IP and HOST_IP from the downward API, which tell a Pod" ;;
  esac
}

# rule FROM:TO, as a rule of our chain
rule() {
  echo "$CHAIN -p tcp -m tcp --dport ${1%:*} -m comment --comment tls-sidecar/redirect-${1%:*}" \
    "-j REDIRECT --to-ports ${1#*:}"
}

# has FAMILY RULE; the rule is meant to fall into words
# shellcheck disable=SC2086
has() { iptables "$1" -C $2 >/dev/null 2>&1; }

# plan FAMILY
plan() {
  echo '*nat'
  echo ":$CHAIN - [0:0]"
  if [ "$mode" = cleanup ]; then
    if has "$1" "$JUMP"; then echo "-D $JUMP"; fi
    echo "-X $CHAIN"
  else
    for pair in $redirects; do echo "-A $(rule "$pair")"; done
    has "$1" "$JUMP" || echo "-A $JUMP"
  fi
  echo COMMIT
}

# apply FAMILY
apply() {
  if [ "$1" = 4 ]; then tool=iptables-$backend; else tool=ip6tables-$backend; fi
  case "$unread " in *" $tool "*) echo "$why"; return 1 ;; esac
  document=$(plan "$1")
  echo "$document" | "$tool-restore" --noflush -w 10
}
cleanup() { apply "$1"; }

# verify FAMILY: each rule is there, no other is, and one jump leads to them
verify() {
  for pair in $redirects; do
    has "$1" "$(rule "$pair")" || { echo "no redirect of port ${pair%:*} to ${pair#*:}"; return 1; }
  done
  in_force=$(iptables "$1" -S "$CHAIN" | grep -c '^-A')
  [ "$in_force" = "$(echo "$redirects" | wc -w | tr -d ' ')" ] || { echo "$CHAIN holds other rules too"; return 1; }
  jumps=$(iptables "$1" -S PREROUTING | grep -c -- "-j $CHAIN\$") || true
  [ "$jumps" = 1 ] || { echo "$jumps jumps from PREROUTING to $CHAIN instead of one"; return 1; }
}

# An address that other machines can dial. The fields of if_inet6 are address, index, prefix, scope (00 global; link and
# loopback are others), flags, name; without IPv6 the file does not exist. Linux: if6_seq_show.
has_ipv6() { grep -q '^[^ ]* [^ ]* [^ ]* 00 ' /proc/net/if_inet6 2>/dev/null; }

if [ "$dry_run" = yes ]; then
  backend=nft
  echo '# iptables-nft-restore --noflush -w 10'; plan 4
  echo '# ip6tables-nft-restore --noflush -w 10'; plan 6
  exit 0
fi

case $mode in
  verify) remedy='Run this again without --verify to put the redirects in force' ;;
  *) remedy='Run this container as uid 0 with the capability NET_ADMIN (for iptables-legacy NET_RAW and a writable /run)' ;;
esac

if [ "$mode" = apply ] && { [ -z "${POD_IP:-}" ] || [ -z "${HOST_IP:-}" ]; }; then refuse_node; fi

# nft first: it needs no capability but NET_ADMIN. The kernel may lack it (gVisor, for one); then legacy, which opens a
# raw socket and a lock file. What an earlier run put into the legacy tables is looked for there.
backend=nft
if [ "$mode" != apply ] && ! iptables 4 -S "$CHAIN" >/dev/null 2>&1 &&
  grep -qx nat /proc/net/ip_tables_names 2>/dev/null; then backend=legacy; fi
problem=$($mode 4 2>&1) || {
  [ "$mode$backend" = applynft ] || fail "IPv4 with iptables-$backend: $problem. $remedy"
  say "IPv4 with iptables-nft: $problem. Trying iptables-legacy, which needs the capability NET_RAW too" >&2
  backend=legacy
  problem=$($mode 4 2>&1) || fail "IPv4 with iptables-legacy: $problem. Nothing was redirected. $remedy"
}

families='IPv4 and IPv6'
problem=$($mode 6 2>&1) || {
  [ "$mode" = verify ] || remedy='Load the kernel modules for IPv6 NAT on the node (nft_chain_nat or ip6table_nat)'
  if has_ipv6; then
    fail "IPv6 with ip6tables-$backend: $problem. The Pod has an IPv6 address, so the app could be reached there" \
      "without TLS. $remedy"
  fi
  say "IPv6 with ip6tables-$backend: $problem. Left alone, since the Pod has no global IPv6 address" >&2
  families='IPv4 only'
}

what=$(echo "${redirects# }" | sed 's/:/ to /g; s/\([0-9]\) \([0-9]\)/\1, \2/g')
case $mode in
  apply) say "inbound port $what ($families, iptables-$backend)" ;;
  verify) say "verified: inbound port $what ($families, iptables-$backend)" ;;
  cleanup) say "redirects removed ($families, iptables-$backend)" ;;
esac
