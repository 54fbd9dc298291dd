# What mmdebstrap made of Debian's archive, and what this machine trusts: a registry's debian:*-slim, where there is none.
FROM scratch
ADD debian.tar /
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
CMD ["sh"]
