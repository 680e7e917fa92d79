# syntax=docker/dockerfile:1
# An image with one program in it: no shell, no package manager, a user without rights. Names with tags stand here so
# that a build takes in repairs; who needs the same image twice pins them by digest.

FROM node:22-bookworm-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY schemas/ /src/schemas/
COPY web/ ./
RUN npm run build

# The toolchain of rust-toolchain.toml, on the Debian whose C library the last stage has.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=pages /src/web/dist web/dist
# The cache is gone after the step, so the program is put where the next stage finds it.
RUN --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --bin tieline \
    && install -D -m 0755 target/release/tieline /image/usr/bin/tieline \
    && install -d -m 0700 /image/var/lib/tieline

# glibc 2.36, libgcc_s and CA certificates, and nothing else; 65532 is its user `nonroot`.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/bin/tieline /usr/bin/tieline
COPY --from=build --chown=65532:65532 /image/var/lib/tieline /var/lib/tieline
COPY deploy/container.toml /etc/tieline/tieline.toml
ENV TIELINE_SETTINGS=/etc/tieline/tieline.toml
USER 65532:65532
WORKDIR /var/lib/tieline
VOLUME ["/var/lib/tieline"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/usr/bin/tieline", "health"]
ENTRYPOINT ["/usr/bin/tieline"]
CMD ["run", "--log", "json"]
