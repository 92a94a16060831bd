#!/bin/sh
# A base with Python 3.11, of Debian 12's packages and without any registry: debian_base.sh TAG. Needs root and mmdebstrap.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sources=/etc/apt/sources.list.d/debian.sources
if [ ! -f "$sources" ] || ! grep -q bookworm "$sources"; then
    sources="deb http://deb.debian.org/debian bookworm main"
fi
mmdebstrap --quiet --variant=minbase \
    --include=ca-certificates,python-is-python3,python3,python3-venv \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$scratch/base.tar" "$sources"
podman import --quiet --change 'CMD ["python3"]' "$scratch/base.tar" "$1"
