# The app of the Pod: Debian's nginx with its own configuration, unchanged, as k8s/app.yaml runs the official one. The large
# file is content, for a download that is under way when the Pod ends.
ARG BASE=localhost/debian:13-slim
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light && rm -rf /var/lib/apt/lists/*
RUN head -c 33554432 /dev/zero > /var/www/html/large
# As the official image: to finish what is in flight.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
