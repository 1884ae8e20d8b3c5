#!/bin/sh
# trixie.sh up PACKAGE…     unpacks programs of Debian trixie, with the libraries they need, into a folder of their own
# trixie.sh has PACKAGE…    is everything unpacked?
# trixie.sh run PROGRAM …   runs one of them, with its own loader and libraries; a path is taken as it is
# trixie.sh py …            runs its Python, which finds trixie's modules
# trixie.sh root            prints where it is unpacked: for headers and libraries
#
# With SUITE=sid all of it is about that suite instead, in a folder of its own; `alone PACKAGE…` unpacks packages without
# the libraries that they need, for those that run on this Debian's own.
#
# Nothing of the system is touched and no root is needed. The folder is $SEALPORT_PEERS/$SUITE, in the user's cache
# unless that variable says otherwise. The mirror is the one that this machine's apt uses.
set -eu
suite=${SUITE:-trixie}
home=${SEALPORT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealport/peers}/$suite
root=$home/root
case $(uname -m) in
x86_64) triplet=x86_64-linux-gnu loader=usr/lib64/ld-linux-x86-64.so.2 ;;
aarch64) triplet=aarch64-linux-gnu loader=usr/lib/ld-linux-aarch64.so.1 ;;
*) echo "trixie.sh: only amd64 and arm64 are known here" >&2; exit 2 ;;
esac

# An apt that knows of that suite alone and of no installed package, so that it fetches every library too.
configure() {
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/empty"
  : >"$home/status"
  mirror=$({
    sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null
    sed -n 's/^deb \(\[.*\] \)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null
  } | head -n 1)
  [ -n "$mirror" ] || { echo "trixie.sh: apt here names no Debian mirror" >&2; exit 1; }
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$home/sources.list"
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

run() {
  export OPENSSL_MODULES="$root/usr/lib/$triplet/ossl-modules" OPENSSL_CONF="${OPENSSL_CONF:-$root/etc/ssl/openssl.cnf}"
  exec "$root/$loader" --library-path "$root/usr/lib/$triplet:$root/usr/lib" --argv0 "${1##*/}" "$@"
}

case ${1:-} in
up | alone)
  how=$1
  shift
  has "$@" && exit 0
  configure
  export APT_CONFIG="$home/apt.conf"
  apt-get update -qq
  if [ $how = up ]; then
    apt-get install -y -qq --download-only base-files libc-bin "$@" >/dev/null
  else
    # A kernel's package of a fixed name holds nothing but the name of today's.
    kernels=$(apt-cache depends "$@" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    (cd "$home/cache/archives" && apt-get download -qq "$@" $kernels >/dev/null)
  fi
  # The loader's folder is a link in today's Debian; unpacked alone it has to be made.
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$home/unpacked"
  for folder in bin sbin lib lib64; do [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"; done
  for package in "$home"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
  rm -f "$home"/cache/archives/*.deb
  for package in "$@"; do : >"$home/unpacked/$package"; done
  ;;
has) shift; has "$@" ;;
root) echo "$root" ;;
run)
  shift
  program=$1
  case $program in
  */*) ;;
  *) for folder in usr/bin usr/sbin; do [ -x "$root/$folder/$1" ] && program=$root/$folder/$1; done ;;
  esac
  shift
  [ -x "$program" ] || { echo "trixie.sh: $program is not there: scripts/peers/install.sh" >&2; exit 127; }
  run "$program" "$@"
  ;;
py)
  shift
  export PYTHONHOME="$root/usr" PYTHONPATH="$root/usr/lib/python3/dist-packages" PYTHONDONTWRITEBYTECODE=1
  run "$(ls "$root"/usr/bin/python3.[0-9]* | head -n 1)" "$@"
  ;;
*) sed -n 2,6p "$0"; exit 2 ;;
esac
