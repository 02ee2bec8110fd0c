#!/usr/bin/env bash
# Run Python of .arm64/root on an emulated CPU: emulate.sh CPU ARGUMENTS. Files to work on lie in
# /checked there, which is .arm64/checked. The mounts end with the command.
set -euo pipefail
cd "$(dirname "$0")/../../.arm64"
mkdir -p checked
# shellcheck disable=SC2016  # of the inner shell
exec unshare --mount --propagation private bash -c '
    set -e
    mount --rbind /proc root/proc
    mount --bind processors root/proc/cpuinfo
    mount --rbind /sys root/sys
    mount --bind /dev/null root/dev/null
    mount --bind /dev/urandom root/dev/urandom
    mount --bind checked root/checked
    exec env --ignore-environment PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/tmp LANG=C.UTF-8 \
        chroot root /qemu -cpu "$1" /usr/bin/python3 "${@:2}"' - "$@"
