#!/bin/sh
# The image, with podman: deploy/image/build.sh [TAG]
# The base is PYTHON_IMAGE where it is set, else the Containerfile's where a registry gives it, else one made here of
# Debian's packages (root and mmdebstrap). The end tells which it was.
set -eu
cd "$(dirname "$0")/../.."
tag=${1:-localhost/segwire:$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
export CONTAINERS_CONF="${CONTAINERS_CONF:-$PWD/deploy/image/containers.conf}"
# So that the same commit gives the same base and the same layers.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH

official=$(sed -n 's/^ARG PYTHON_IMAGE=//p' deploy/Containerfile)
packages="gcc libc6-dev"
if [ -n "${PYTHON_IMAGE:-}" ]; then
    base=$PYTHON_IMAGE
elif timeout 60 podman pull --quiet "$official" >/dev/null 2>&1; then
    base=$official
else
    base=localhost/segwire-base:bookworm packages="gcc libc6-dev python3-dev"
    echo "$official cannot be pulled: the base is made of Debian's packages"
    podman image exists "$base" || deploy/image/debian_base.sh "$base"
fi

# Where this machine has an authority of its own for packages, the build trusts it too.
ca=
if [ -n "${PIP_CERT:-}" ]; then ca="--volume $PIP_CERT:$PIP_CERT:ro --build-arg PIP_CERT=$PIP_CERT"; fi
# shellcheck disable=SC2086  # several words
podman build --isolation=chroot --ulimit nofile=16000:16000 --ulimit nproc=30000:30000 --timestamp "$SOURCE_DATE_EPOCH" \
    $ca --build-arg "PYTHON_IMAGE=$base" --build-arg "BUILD_PACKAGES=$packages" -f deploy/Containerfile -t "$tag" .
echo "$tag on $base: $(podman image inspect "$tag" --format '{{.Size}}') bytes"
