#!/bin/sh
# install.sh [--try] [GROUP…]   makes the real peers ready that the interop tests talk to; all groups when none is named
#
#   base   tshark (decrypts our captures with our key logs)
#   db     PostgreSQL, for its driver over our sockets
#   wireguard  wireguard-go and wg, and what makes a private network behind it
#   tls    OpenSSL, GnuTLS and NSS of this Debian, and newer ones of Debian trixie unpacked beside it (trixie.sh)
#
# Debian packages, by apt, as root. Says nothing and takes no time when everything is there. No service is started.
# With --try it installs only where it may (root, on Debian) and otherwise says what is missing and goes on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
try=; [ "${1:-}" = --try ] && { try=yes; shift; }

packages=; newer=
for group in ${*:-base db tls wireguard}; do
  case $group in
  base) packages="$packages tshark" ;;
  db) packages="$packages postgresql" ;;
  tls) packages="$packages openssl gnutls-bin libnss3-tools" newer="$newer openssl gnutls-bin" ;;
  wireguard) packages="$packages wireguard-go wireguard-tools iproute2 iputils-ping socat curl" ;;
  *) echo "install.sh: no group is called $group; there are: base db tls wireguard" >&2; exit 2 ;;
  esac
done

missing=
for package in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$newer" ] && ! "$here/trixie.sh" has $newer; then unpack=yes; else unpack=; fi
[ -n "$missing$unpack" ] || exit 0

if ! command -v apt-get >/dev/null || { [ -n "$missing" ] && [ "$(id -u)" != 0 ]; }; then
  echo "Some real peers are missing:${missing:-}${unpack:+ the newer programs of trixie.sh}." >&2
  echo "On Debian 12, as root, scripts/peers/install.sh installs them; the tests that need them fail until then." >&2
  [ -n "$try" ] && exit 0 || exit 1
fi

if [ -n "$missing" ]; then
  echo "installing$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  # While packages install, the answer to "may I start a service?" is no.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  echo 'wireshark-common wireshark-common/install-setuid boolean false' | debconf-set-selections
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if [ -n "$unpack" ]; then
  echo "unpacking newer$newer" >&2
  "$here/trixie.sh" up $newer
fi
