#!/bin/sh
# trixie.sh up PACKAGE…     unpacks programs of Debian trixie, with the libraries they need, into a folder of their own
# trixie.sh has PACKAGE…    is everything unpacked?
# trixie.sh run PROGRAM …   runs one of them, with its own loader and libraries
#
# Nothing of the system is touched and no root is needed. The folder is $SEALPORT_PEERS/trixie, in the user's cache
# unless that variable says otherwise. The mirror is the one that this machine's apt uses.
set -eu
home=${SEALPORT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealport/peers}/trixie
root=$home/root
case $(uname -m) in
x86_64) triplet=x86_64-linux-gnu loader=usr/lib64/ld-linux-x86-64.so.2 ;;
aarch64) triplet=aarch64-linux-gnu loader=usr/lib/ld-linux-aarch64.so.1 ;;
*) echo "trixie.sh: only amd64 and arm64 are known here" >&2; exit 2 ;;
esac

# An apt that knows of trixie alone and of no installed package, so that it fetches every library too.
configure() {
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/empty"
  : >"$home/status"
  mirror=$({
    sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null
    sed -n 's/^deb \(\[.*\] \)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null
  } | head -n 1)
  [ -n "$mirror" ] || { echo "trixie.sh: apt here names no Debian mirror" >&2; exit 1; }
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$home/sources.list"
  cat >"$home/apt.conf" <<CONF
Dir::Etc::sourcelist "$home/sources.list";
Dir::Etc::sourceparts "$home/empty";
Dir::Etc::preferencesparts "$home/empty";
Dir::State::lists "$home/lists";
Dir::State::status "$home/status";
Dir::Cache "$home/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
CONF
}

has() {
  for package in "$@"; do [ -e "$home/unpacked/$package" ] || return 1; done
}

case ${1:-} in
up)
  shift
  has "$@" && exit 0
  configure
  APT_CONFIG=$home/apt.conf apt-get update -qq
  APT_CONFIG=$home/apt.conf apt-get install -y -qq --download-only base-files libc-bin "$@" >/dev/null
  # The loader's folder is a link in today's Debian; unpacked alone it has to be made.
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$home/unpacked"
  for folder in bin sbin lib lib64; do [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"; done
  for package in "$home"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
  rm -f "$home"/cache/archives/*.deb
  for package in "$@"; do : >"$home/unpacked/$package"; done
  ;;
has) shift; has "$@" ;;
run)
  shift
  program=$root/usr/bin/$1
  shift
  [ -x "$program" ] || { echo "trixie.sh: $program is not there: scripts/peers/install.sh" >&2; exit 127; }
  export OPENSSL_MODULES="$root/usr/lib/$triplet/ossl-modules" OPENSSL_CONF="${OPENSSL_CONF:-$root/etc/ssl/openssl.cnf}"
  exec "$root/$loader" --library-path "$root/usr/lib/$triplet" --argv0 "${program##*/}" "$program" "$@"
  ;;
*) sed -n 2,4p "$0"; exit 2 ;;
esac
