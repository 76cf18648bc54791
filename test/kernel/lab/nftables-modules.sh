#!/bin/bash
# nftables-modules.sh PACKAGED VERSION TARGET: a folder TARGET of kernel modules for user-mode Linux, those of the folder PACKAGED and,
# preferred to them, nftables with tables of the families inet, ip and ip6, which Debian leaves out there. Built in a minute from Debian's
# source of the same VERSION (of the package `linux`): such modules fit, as the kernel has no versions of symbols.
set -euo pipefail
packaged=$1 version=$2 target=$3
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get download -q "linux-source-${version%.*}=$version" || {
  apt-get update -q
  apt-get download -q "linux-source-${version%.*}=$version"
}
dpkg-deb --fsys-tarfile linux-source-*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | tar -xJ
cd linux-source-*/
zcat /usr/share/doc/user-mode-linux/config.gz >.config
for option in NF_TABLES_INET NF_TABLES_IPV4 NF_TABLES_IPV6; do ./scripts/config --enable $option; done
for option in NFT_NAT NFT_MASQ NFT_REJECT NFT_REJECT_INET; do ./scripts/config --module $option; done
make -s ARCH=um olddefconfig
make -s -j2 ARCH=um modules_prepare
modules=(
  net/netfilter/{nf_tables,nf_nat,nft_chain_nat,nft_nat,nft_masq,nft_reject,nft_reject_inet}.ko
  net/ipv4/netfilter/nft_reject_ipv4.ko
  net/ipv6/netfilter/nft_reject_ipv6.ko
)
# The kernel's own symbols are not known here; whether they are there is seen when a module is loaded.
make -s -j2 ARCH=um KBUILD_MODPOST_WARN=1 "${modules[@]}"

root=$work/root/lib/modules/$(basename "$packaged")
mkdir -p "$root/updates"
cp "${modules[@]}" "$root/updates/"
cp "$packaged"/modules.{order,builtin*} "$root/"
ln -s "$packaged/kernel" "$root/kernel"
depmod -b "$work/root" "$(basename "$packaged")"
# Another run may have been faster.
mv -T "$root" "$target" || [ -d "$target" ]
