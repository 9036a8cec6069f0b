#!/bin/bash
# dracut module: puts ostree-prepare-root and its configuration into an initramfs.

check() {
    # 255: only where another module or the configuration asks for it.
    [[ -x ${systemdutildir}/systemd && -x /usr/lib/ostree/ostree-prepare-root ]] && return 255
    return 1
}

depends() {
    return 0
}

installkernel() {
    instmods erofs overlay
}

install() {
    local conf unit=ostree-prepare-root.service wants=initrd-root-fs.target.wants

    dracut_install /usr/lib/ostree/ostree-prepare-root
    for conf in {/usr/lib,/etc}/ostree/prepare-root.conf /etc/ostree/initramfs-root-binding.key; do
        [[ ! -f $conf ]] || inst_simple "$conf"
    done
    inst_simple "${systemdsystemunitdir}/$unit"
    mkdir -p "${initdir}${systemdsystemunitdir}/$wants"
    ln_r "${systemdsystemunitdir}/$unit" "${systemdsystemunitdir}/$wants/$unit"
}
