# The sidecar: one bundled program, a stripped Node, and the shared libraries that Node needs. There is no shell.
#
#   .ci/images                    builds both images with docker or buildah, with all labels
#   docker build -t tls-sidecar:0.1.0 . && docker run --rm tls-sidecar:0.1.0 --version
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/tls-sidecar:0.1.0 --push .
#
# BASE may be any Debian image with Node 24 and npm on its PATH. A release gives it by digest (release.yml).
# For another platform than the machine's own, Docker needs QEMU (binfmt): the program runs once, on its own platform.
ARG BASE=docker.io/library/node:24-trixie-slim

# On the machine's own platform: the bundle is plain JavaScript, the same for amd64 and arm64. No package's install script
# is run.
FROM --platform=$BUILDPLATFORM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY build build
COPY src src
RUN npm run build && rm dist/*.map
# The command, for `kubectl exec … -- tls-sidecar check`: the image has neither a shell nor /usr/bin/env.
RUN printf '#!/nodejs/bin/node\nimport("/app/proxy.js");\n' > /build/tls-sidecar && chmod 0755 /build/tls-sidecar

# On the image's platform: Node without its symbol table, jemalloc, the libraries that both load, and what Debian says of
# their packages, which is where scanners look for known holes (status.d, as in the distroless images).
# Debian's jemalloc gives memory back after a load, where glibc's malloc keeps it for its fragments.
FROM ${BASE} AS collect
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils libjemalloc2
RUN set -eu; \
    mkdir -p /image/nodejs/bin /image/app/lib /image/etc /image/tmp /image/usr/share/doc /image/var/lib/dpkg/status.d; \
    chmod 1777 /image/tmp; \
    strip --strip-all -o /image/nodejs/bin/node "$(readlink -f "$(command -v node)")"; \
    cp -L /usr/lib/*/libjemalloc.so.2 /image/app/lib/; \
    ldd /image/nodejs/bin/node /image/app/lib/libjemalloc.so.2 | grep -o '/[^ ]*\.so[^ :]*' | grep -v '^/image' | sort -u | \
      while read -r library; do mkdir -p "/image$(dirname "$library")"; cp -L "$library" "/image$library"; done; \
    for package in libc6 libgcc-s1 libjemalloc2 libstdc++6; do \
      mkdir -p "/image/usr/share/doc/$package"; \
      cp -L "/usr/share/doc/$package/copyright" "/image/usr/share/doc/$package/"; \
      dpkg -s "$package" > "/image/var/lib/dpkg/status.d/$package"; \
    done; \
    cp /etc/os-release /image/etc/os-release; \
    if [ -e /usr/local/LICENSE ]; then cp /usr/local/LICENSE /image/nodejs/; fi; \
    printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n' > /image/etc/passwd; \
    printf 'root:x:0:\nnonroot:x:65532:\n' > /image/etc/group; \
    printf 'hosts: files dns\n' > /image/etc/nsswitch.conf

# Owned by root, so the program cannot change itself. LICENSE is taken along when the tree has one.
FROM scratch AS program
COPY --from=collect /image /
COPY package.json LICENSE* /app/
COPY --from=build /build/dist /app/
COPY --from=build /build/tls-sidecar /usr/local/bin/tls-sidecar

# Runs the program once, with the flags and as the user of the image, for what V8 keeps of its compilation.
FROM program AS compiled
USER 65532:65532
ENV NODE_COMPILE_CACHE=/tmp/compile-cache
RUN ["/nodejs/bin/node", "--max-semi-space-size=8", "/app/proxy.js", "--version"]

FROM program
# Declared again, to be known inside this stage.
ARG BASE
ARG BASE_DIGEST=
# That of package.json; a test holds the two together.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="tls-sidecar" \
      org.opencontainers.image.description="Terminates HTTPS in front of an unchanged plain-HTTP app in the same Pod" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"

# Written for its user only, and read by the same user, who now cannot change it.
COPY --from=compiled --chmod=755 /tmp/compile-cache /app/compile-cache
WORKDIR /app

# One arena: the program allocates on one thread. The young generation is bounded in the ENTRYPOINT, which NODE_OPTIONS of
# a Pod does not replace: 8 MiB instead of 16 cost no CPU time. Without the library, glibc reads the variables beside it.
ENV NODE_ENV=production \
    PATH=/usr/local/bin:/nodejs/bin \
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
