# The sidecar: the compiled program and its production packages on a base that holds Node and no shell.
#
#   docker build -t tls-sidecar:0.1.0 .
#   docker run --rm tls-sidecar:0.1.0 --version
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/tls-sidecar:0.1.0 --push .
#
# BASE may be any image with Node 24 at /nodejs/bin/node; BUILD_BASE any with Node 24 and npm.
ARG BUILD_BASE=docker.io/library/node:24-trixie-slim
ARG BASE=gcr.io/distroless/nodejs24-debian13:nonroot

# Both build stages run on the machine's own platform: the compiler's output and the production packages are plain
# JavaScript, the same for amd64 and arm64. No package's install script is run.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
# The command, for `kubectl exec … -- tls-sidecar check`: the base has neither a shell nor /usr/bin/env.
RUN printf '#!/nodejs/bin/node\nimport("/app/proxy.js");\n' > /build/tls-sidecar && chmod 0755 /build/tls-sidecar

FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS packages
WORKDIR /packages
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev

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
COPY --from=packages /packages/node_modules /app/node_modules
COPY package.json LICENSE* /app/
COPY --from=build /build/dist /app/
COPY --from=build /build/tls-sidecar /usr/local/bin/tls-sidecar
WORKDIR /app

ENV NODE_ENV=production \
    TLS_SIDECAR_CERT=/etc/tls-sidecar/certs/tls.crt \
    TLS_SIDECAR_KEY=/etc/tls-sidecar/certs/tls.key
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
# A number, because the kubelet cannot tell from a name whether it means root (runAsNonRoot: true).
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/app/proxy.js"]
