#!/bin/bash
# pki.sh FOLDER NODE_ADDRESS SERVICE_ADDRESS: the cluster's authority, certificates, service accounts' keys, kubeconfigs.
set -euo pipefail
d=$1 ip=$2 service=$3
mkdir -p "$d"; cd "$d"; [ -e admin.kubeconfig ] && exit 0
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
key ca
openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj /CN=kubernetes-ca -out ca.crt 2>/dev/null
openssl genrsa -out sa.key 2048 2>/dev/null; openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
certificate() { # NAME SUBJECT USAGE [NAMES]
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n%s\n' "$3" "${4:+subjectAltName=$4}" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -sha256 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
client() { # NAME SUBJECT
  certificate "$1" "$2" clientAuth
  cat >"$1.kubeconfig" <<K
{"apiVersion": "v1", "kind": "Config", "current-context": "test",
 "clusters": [{"name": "test", "cluster": {"server": "https://$ip:6443", "certificate-authority": "$d/ca.crt"}}],
 "users": [{"name": "test", "user": {"client-certificate": "$d/$1.crt", "client-key": "$d/$1.key"}}],
 "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}
K
}
certificate apiserver /CN=kube-apiserver serverAuth "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$service,IP:$ip"
certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate front-proxy /CN=front-proxy clientAuth
client kcm /CN=system:kube-controller-manager
client sched /CN=system:kube-scheduler
client proxy /CN=system:kube-proxy
for n in 1 2 3 4; do client node$n /O=system:nodes/CN=system:node:node$n; done
client admin /O=system:masters/CN=admin
