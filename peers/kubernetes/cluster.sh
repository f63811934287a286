# To be sourced, by root, in network, mount and process namespaces of one's own:
# starts Kubernetes on this machine as its only node. All ends with the first
# process of the namespace. Its addresses are those kept for documentation: the
# node's 192.0.2.1, pods' 198.51.100.0/24, services' 203.0.113.0/24. It takes
#   work       a folder; logs of all components are in it
#   cgroup     the control group, "/" and a name, below which pods run
# and leaves kubectl in PATH, with KUBECONFIG, and
#   load NAME…   gives the node images that dockerd has built
node=192.0.2.1 kubernetes=$PWD/target/kubernetes
start() { # start NAME COMMAND…
  "${@:2}" >"$work/$1.log" 2>&1 </dev/null &
}
patiently() { # patiently SECONDS COMMAND…: until it succeeds
  for _ in $(seq $(($1 * 4))); do
    "${@:2}" >/dev/null 2>&1 && return
    sleep 0.25
  done
  echo "kubernetes: FAILED: after $1 s still not: ${*:2}"
  return 1
}

ip link set lo up
ip link add node type bridge
ip address add "$node/24" dev node
ip link set node up
ip route add default dev node # for kube-proxy to rewrite; nothing is there
mount -t tmpfs none /run
mount -t tmpfs none /var/log
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  cat "/proc/sys/$setting" >"$work/${setting//\//.}" # the kubelet sets them: not this machine's
  mount --bind "$work/${setting//\//.}" "/proc/sys/$setting"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
for group in /sys/fs/cgroup/*/ /sys/fs/cgroup/; do
  if [ -e "$group/cgroup.procs" ]; then mkdir -p "$group$cgroup"; fi
done

mkdir "$work/bin" "$work/cni"
printf '#!/bin/sh\nexec %s kubectl "$@"\n' "$kubernetes" >"$work/bin/kubectl"
chmod 755 "$work/bin/kubectl"
export PATH=$work/bin:$PATH KUBECONFIG=$work/kubeconfig
openssl genrsa -out "$work/accounts.key" 2048 2>/dev/null
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" >"$work/tokens"
cat >"$KUBECONFIG" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$node:6443", certificate-authority: $work/api/apiserver.crt}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
YAML
start etcd "$kubernetes" etcd --data-dir "$work/etcd" --unsafe-no-fsync
start kube-apiserver "$kubernetes" kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir "$work/api" \
  --bind-address "$node" --advertise-address "$node" --service-cluster-ip-range 203.0.113.0/24 --allow-privileged \
  --kubelet-preferred-address-types InternalIP --token-auth-file "$work/tokens" --authorization-mode RBAC --service-account-issuer https://kubernetes.default.svc \
  --service-account-signing-key-file "$work/accounts.key" --service-account-key-file "$work/accounts.key"
patiently 120 kubectl get --raw /readyz
start kube-controller-manager "$kubernetes" kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false \
  --service-account-private-key-file "$work/accounts.key" --root-ca-file "$work/api/apiserver.crt" --cert-dir "$work/controllers"
start kube-scheduler "$kubernetes" kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false --cert-dir "$work/scheduler"
start kube-proxy "$kubernetes" kube-proxy --kubeconfig "$KUBECONFIG" --hostname-override node --cluster-cidr 198.51.100.0/24 \
  --proxy-mode iptables --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
printf 'cluster.local:53 {\n errors\n kubernetes {\n  kubeconfig %s\n }\n}\n' "$KUBECONFIG" >"$work/Corefile"
start coredns "$kubernetes" coredns -conf "$work/Corefile"

cat >"$work/cni/pods.conflist" <<'JSON'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "pods", "isDefaultGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "198.51.100.0/24"}]]}}]}
JSON
cat >"$work/containerd.toml" <<TOML
version = 2
root = "$work/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "ccms.test/pause:1"
  restrict_oom_score_adj = true # root of a container may not go below its own
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
TOML
start containerd containerd --config "$work/containerd.toml"
patiently 30 ctr version
export DOCKER_HOST=unix:///run/docker.sock DOCKER_BUILDKIT=0 DOCKER_CONFIG=$work
start dockerd dockerd --host "$DOCKER_HOST" --containerd /run/containerd/containerd.sock --data-root "$work/docker" \
  --exec-root /run/docker --storage-driver vfs --bridge none --iptables=false --ip6tables=false
patiently 30 docker version
load() { docker save "$@" | ctr -n k8s.io images import - >/dev/null; }
tar -C target -c pause | docker import -c 'ENTRYPOINT ["/pause"]' - ccms.test/pause:1 >/dev/null
load ccms.test/pause:1
cat >"$work/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: $cgroup
failCgroupV1: false
clusterDNS: [$node]
clusterDomain: cluster.local
resolvConf: ""
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {memory.available: 1Mi}
volumePluginDir: $work/plugins
YAML
start kubelet "$kubernetes" kubelet --config "$work/kubelet.yaml" --kubeconfig "$KUBECONFIG" --root-dir "$work/kubelet" \
  --cert-dir "$work/kubelet-tls" --hostname-override node --node-ip "$node"
patiently 60 kubectl wait --for condition=Ready node/node --timeout 1s
