# Built from Debian's packages and crates.io, nothing else. Run it with a read-only root:
#
#   docker run --read-only --volume state:/var/lib/driftless --volume "$PWD:/fleet:ro" \
#       driftless --fleet /fleet/fleet run
#   docker run --read-only --volume state:/var/lib/driftless \
#       driftless --fleet https://git.example.com/fleet.git --branch main run

FROM rust:1.95-slim-bookworm AS builder
# libgit2 and SQLite are compiled from the sources in their crates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev git \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The caches outlive the build, so that a change of ours does not compile the dependencies again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked \
    && install -D --strip target/release/driftless /out/driftless

FROM debian:bookworm-slim
# git fetches a fleet at a URL, with ssh if that says so, and verifies signatures with ssh-keygen.
# A mounted repository belongs to a user of the host, whom git and driftless would not trust.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /fleet \
    && install --directory --owner=10001 --group=10001 /var/lib/driftless
COPY --from=builder /out/driftless /usr/local/bin/driftless
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
# The journal's default place, `.driftless`, is relative: it lands in the volume.
ENV HOME=/var/lib/driftless
WORKDIR /var/lib/driftless
VOLUME /var/lib/driftless
ENTRYPOINT ["driftless"]
