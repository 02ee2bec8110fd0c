#!/usr/bin/env bash
# Install ncodec on Debian for ARM, emulated, and compare what it codes and decodes with this
# machine: `make arm64`. Its argument, "all", adds long clips and large pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly PLACE=.arm64
readonly ROOT=$PLACE/root WHEELS=$PLACE/root/wheels
readonly PLATFORMS=(manylinux2014_aarch64 manylinux_2_27_aarch64 manylinux_2_28_aarch64)

skip() {
    echo "arm64: skipped: $1"
    exit 0
}

find_tools() {
    [ "$(id -u)" = 0 ] || skip "changing the root directory needs the user root"
    local tool
    for tool in apt-get dpkg unshare; do
        command -v "$tool" >/dev/null || skip "it needs $tool (Debian and its util-linux)"
    done
    unshare --mount true 2>/dev/null || skip "it needs mounts of its own, which are forbidden here"
    command -v qemu-aarch64-static >/dev/null && return
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-user-static; } \
        >/dev/null || skip "the package qemu-user-static could not be installed"
}

# A state of its own keeps apt's settings for this machine, and its foreign architectures, as is.
configure_apt() {
    local debian
    debian=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
        'Created-By: Packages' 'Component: main' 'Codename: bookworm' | head -n 1)
    [ -n "$debian" ] || skip "it needs the packages of Debian 12 among the sources of apt"
    mkdir -p $PLACE/apt/lists/partial $PLACE/apt/cache/archives/partial
    : >$PLACE/apt/status
    echo "deb $debian" >$PLACE/apt/sources.list
    cat >$PLACE/apt/apt.conf <<END
Dir::State "$PWD/$PLACE/apt";
Dir::State::status "$PWD/$PLACE/apt/status";
Dir::Cache "$PWD/$PLACE/apt/cache";
Dir::Etc::sourcelist "$PWD/$PLACE/apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "arm64";
APT::Architectures "arm64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
END
}

# The kernel shows the processors of this machine, of which ONNX Runtime's reader can make nothing.
write_processors() {
    local i
    for ((i = 0; i < $(nproc --all); i++)); do
        printf 'processor\t: %d\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n' "$i"
        printf 'CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done
}

# Python and the C++ library alone: scripts of packages do not run, and there is no compiler.
make_root() {
    [ -e $PLACE/made ] && return
    rm -rf $ROOT
    configure_apt
    (
        export APT_CONFIG=$PWD/$PLACE/apt/apt.conf
        apt-get update -qq &&
            apt-get install -y -qq --download-only python3 libstdc++6 >/dev/null
    ) || skip "Debian's packages for ARM could not be fetched"
    mkdir -p $ROOT/{tmp,proc,sys,dev,wheels,checked}
    for package in $PLACE/apt/cache/archives/*.deb; do dpkg -x "$package" $ROOT; done
    touch $ROOT/dev/{null,urandom}
    cp "$(command -v qemu-aarch64-static)" $ROOT/qemu
    write_processors >$PLACE/processors
    touch $PLACE/made
}

requirements() {
    .venv/bin/python - <<'END'
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ARM = {"sys_platform": "linux", "platform_machine": "aarch64"}
for line in tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]:
    wanted = Requirement(line)
    if wanted.marker is None or wanted.marker.evaluate(ARM):
        print(f"{wanted.name}{wanted.specifier}")
END
}

fetch_wheels() {
    [ $PLACE/fetched -nt pyproject.toml ] && [ $PLACE/fetched -nt $PLACE/made ] && return
    requirements >$PLACE/requirements.txt
    .venv/bin/pip download --quiet --dest $WHEELS --only-binary=:all: --implementation cp \
        --python-version 3.11 "${PLATFORMS[@]/#/--platform=}" pip -r $PLACE/requirements.txt
    touch $PLACE/fetched
}

# Pip resolves on ARM: constriction has no wheel there, so a marker that asks for it fails here.
install_ncodec() {
    rm -rf $ROOT/usr/local $WHEELS/ncodec-*.whl
    .venv/bin/pip wheel --quiet --no-deps --wheel-dir $WHEELS .
    local pip
    pip=$(basename $WHEELS/pip-*.whl)
    tests/arm64/emulate.sh cortex-a72 "/wheels/$pip/pip" install --quiet --no-index \
        --find-links /wheels --no-compile --break-system-packages --root-user-action ignore ncodec
}

find_tools
make_root
fetch_wheels
install_ncodec
.venv/bin/python tests/arm64/check.py "$@"
