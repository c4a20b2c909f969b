#!/bin/bash
# A node of the test cluster: process 1 of the cluster's own pid, mount and network namespaces, or of node N's.
# Everything here ends with it. STATE: the cluster's folder; BIN: links to hyperkube; IMAGES: archives to import;
# NODE: 1 (with etcd, API server and controllers) or more; HOLD: stdin to end with standard input.
# Addresses: nodes 10.211.0.0/24, pods 10.241.NODE.0/24, services 10.91.0.0/16.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export IP=10.211.0.$((NODE + 1)) PKI=$STATE/pki
name=k8s-$(basename "$STATE")-n$NODE node=node$NODE S=$STATE/n$NODE
mkdir -p "$S"/{log,etcd,containerd,runc,kubelet,cni,run}
kubectl() { "$BIN/kubectl" --kubeconfig "$PKI/admin.kubeconfig" "$@"; }
# What ended by itself is named in the file `ended`: its log says why the node does not start.
background() { local name=$1 log=$S/log/$1.log; shift; { "$@"; echo "$name" >>"$S/ended"; } >"$log" 2>&1 </dev/null & }

# Cgroups of its own in each (version 1) hierarchy: two kubelets under one root would end each other's pods as orphans.
for hierarchy in /sys/fs/cgroup/*/; do
  grep -q " ${hierarchy%/} cgroup " /proc/self/mounts || continue
  mkdir -p "$hierarchy$name"
  # Beside what else the machine does a cluster of dozens of processes would count as one.
  [ -e "$hierarchy/cpu.shares" ] && echo 10240 >"$hierarchy$name/cpu.shares"
  [ -e "$hierarchy/cpuset.cpus" ] && for f in cpus mems; do cat "$hierarchy/cpuset.$f" >"$hierarchy$name/cpuset.$f"; done
done
# What containerd and kubelet keep outside their folders must not lie in the machine's.
mount --make-rshared /
for folder in /run/netns /var/lib/cni /var/log/containers /var/lib/kubelet; do mkdir -p $folder; mount -t tmpfs tmpfs $folder; done
mount --make-rshared /

ip link set lo up
# The nodes' common wire is a bridge in a namespace of its own: in node 1's the kernel would track each connection twice
# (bridge-nf-call-iptables), and lose some.
on_wire() { nsenter -t "$(cat "$STATE/wire.pid")" -n ip link "$@"; }
if [ "$NODE" = 1 ]; then
  unshare --net sleep infinity & echo $! >"$STATE/wire.pid"
  until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/$$/ns/net)" ]; do sleep .02; done
  on_wire add br0 type bridge; on_wire set br0 up
fi
on_wire add "n$NODE" type veth peer name eth0 netns $$
on_wire set "n$NODE" master br0 up
ip link set eth0 up; ip addr add "$IP/24" dev eth0; ip route add default dev eth0
for n in 1 2 3 4; do [ $n = "$NODE" ] || ip route add 10.241.$n.0/24 via 10.211.0.$((n + 1)); done
sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null

if [ "$NODE" = 1 ]; then
  "$here/pki.sh" "$PKI" "$IP" 10.91.0.1
  background etcd "$BIN/etcd" --data-dir "$S/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
    --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
  background api-server "$here/api-server.sh"
fi

cat >"$S/containerd.toml" <<T
version = 2
root = "$S/containerd"
state = "$S/runc"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$S/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$S/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
T
cat >"$S/cni/10-bridge.conflist" <<T
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true, "promiscMode": false,
   "ipam": {"type": "host-local", "dataDir": "$S/cni-ipam", "ranges": [[{"subnet": "10.241.$NODE.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
T
background containerd containerd --config "$S/containerd.toml"
: >"$S/resolv.conf"
cat >"$S/kubelet.yaml" <<T
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$name
containerRuntimeEndpoint: unix://$S/run/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
clusterDNS: [10.91.0.10]
clusterDomain: cluster.local
resolvConf: $S/resolv.conf
failSwapOn: false
registerNode: true
evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
enforceNodeAllocatable: [pods]
podLogsDir: $S/pods-log
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
T
cat >"$S/kube-proxy.yaml" <<T
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: 10.241.0.0/16
hostnameOverride: $node
clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
T
images() { ctr -a "$S/run/containerd.sock" -n k8s.io images "$@" >>"$S/log/images.log" 2>&1; }
for _ in $(seq 300); do images ls && break; sleep .1; done
for archive in $IMAGES; do images import "$archive"; done
images label localhost/pause:1 io.cri-containerd.pinned=pinned
for _ in $(seq 600); do kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep .2; done

if [ "$NODE" = 1 ]; then
  as() { echo "--kubeconfig=$PKI/$1.kubeconfig --authentication-kubeconfig=$PKI/$1.kubeconfig --authorization-kubeconfig=$PKI/$1.kubeconfig --leader-elect=false --bind-address=127.0.0.1"; }
  background controllers "$BIN/kube-controller-manager" $(as kcm) --use-service-account-credentials=true \
    --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key"
  background scheduler "$BIN/kube-scheduler" $(as sched)
  background load-balancer node "$here/load-balancer.mjs" "$PKI"
fi
background kubelet "$BIN/kubelet" --config="$S/kubelet.yaml" --kubeconfig="$PKI/$node.kubeconfig" \
  --hostname-override=$node --node-ip="$IP" --root-dir="$S/kubelet" --cert-dir="$S/kubelet-pki" -v=2
background kube-proxy "$BIN/kube-proxy" --config="$S/kube-proxy.yaml" -v=2
for _ in $(seq 300); do kubectl wait --for=condition=Ready "node/$node" --timeout=1s >/dev/null 2>&1 && break; sleep .2; done
[ "$NODE" = 1 ] && kubectl apply -f "$here/dns.yaml" >/dev/null
touch "$S/started"
[ "${HOLD:-}" = stdin ] && { cat >/dev/null; exit; }
while :; do wait -n; sleep 1; done
