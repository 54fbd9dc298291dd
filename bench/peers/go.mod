module tls-sidecar/bench

go 1.19
