# The sidecar: the bundled program on a base that holds Node and no shell.
#
#   docker build -t tls-sidecar:0.1.0 .
#   docker run --rm tls-sidecar:0.1.0 --version
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/tls-sidecar:0.1.0 --push .
#
# BASE may be any image with Node 24 at /nodejs/bin/node and glibc; BUILD_BASE any of Debian with Node 24 and npm, of the
# same release or an older one. For another platform than the machine's own, Docker needs QEMU (binfmt): the program runs once.
ARG BUILD_BASE=docker.io/library/node:24-trixie-slim
ARG BASE=gcr.io/distroless/nodejs24-debian13:nonroot

# The build runs on the machine's own platform: the bundle is plain JavaScript, the same for amd64 and arm64. No package's
# install script is run.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY build build
COPY src src
RUN npm run build
# The command, for `kubectl exec … -- tls-sidecar check`: the base has neither a shell nor /usr/bin/env.
RUN printf '#!/nodejs/bin/node\nimport("/app/proxy.js");\n' > /build/tls-sidecar && chmod 0755 /build/tls-sidecar

# Debian's jemalloc gives memory back after a load, where glibc's malloc keeps it for its fragments.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS jemalloc
ARG TARGETARCH
WORKDIR /jemalloc
RUN dpkg --add-architecture "${TARGETARCH:=$(dpkg --print-architecture)}" \
 && apt-get update -qq && apt-get download "libjemalloc2:${TARGETARCH}" && dpkg -x libjemalloc2_*.deb . \
 && mkdir lib && cp usr/lib/*/libjemalloc.so.2 lib/ && cp usr/share/doc/libjemalloc2/copyright lib/libjemalloc.LICENSE

# Runs the program once, with the flags and as the user of the image, for what V8 keeps of its compilation.
FROM ${BASE} AS compiled
COPY --from=build /build/dist /app/
COPY package.json /app/
WORKDIR /tmp
USER 65532:65532
ENV NODE_COMPILE_CACHE=/tmp/compile-cache
RUN ["/nodejs/bin/node", "--max-semi-space-size=8", "/app/proxy.js", "--version"]

FROM ${BASE}
# Declared again, to be known inside this stage.
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tls-sidecar" \
      org.opencontainers.image.description="Terminates HTTPS in front of an unchanged plain-HTTP app in the same Pod" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}"

# Owned by root, so the program cannot change itself; WORKDIR stands after the copies because it would create the folder
# for the base's user. The pattern takes LICENSE along when the tree has one.
COPY package.json LICENSE* /app/
COPY --from=jemalloc /jemalloc/lib /app/lib
COPY --from=build /build/dist /app/
COPY --from=build /build/tls-sidecar /usr/local/bin/tls-sidecar
# Written for its user only, and read by the same user, who now cannot change it.
COPY --from=compiled --chmod=755 /tmp/compile-cache /app/compile-cache
WORKDIR /app

# One arena: the program allocates on one thread. The young generation is bounded in the ENTRYPOINT, which NODE_OPTIONS of
# a Pod does not replace: 8 MiB instead of 16 cost no CPU time. Without the library, glibc reads the variables beside it.
ENV NODE_ENV=production \
    LD_PRELOAD=/app/lib/libjemalloc.so.2 \
    MALLOC_CONF=narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true,thp:never \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    TLS_SIDECAR_CERT=/etc/tls-sidecar/certs/tls.crt \
    TLS_SIDECAR_KEY=/etc/tls-sidecar/certs/tls.key
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
# A number, because the kubelet cannot tell from a name whether it means root (runAsNonRoot: true).
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=8", "/app/proxy.js"]
