#!/bin/sh
# install.sh [--try] [GROUP…]   makes the real peers ready that the interop tests talk to; all groups when none is named
#
#   base       tshark (decrypts our captures with our key logs), a C compiler (for small programs against C libraries), groff (reads the manual page)
#   db         PostgreSQL, MariaDB, Redis and sshd, for their drivers over our sockets
#   wireguard  wireguard-go and wg, and what makes a private network behind it
#   openvpn    openvpn, and what makes a private network behind it
#   ike        strongSwan's charon, and what makes a network between it and us
#   tls        OpenSSL, GnuTLS and NSS of this Debian, and newer ones of Debian trixie unpacked beside it (trixie.sh)
#   quic       ngtcp2 old and new, quic-go in Caddy, nginx, haproxy, curl, aioquic, OpenSSL's QUIC
#   dtls       Mbed TLS, wolfSSL, NSS
#   srtp       libsrtp, FFmpeg, GStreamer; libbzrtp for ZRTP
#   curvecp    NaCl's CurveCP
#   browser    Chromium
#   kernel     a Linux kernel of Debian in an emulated machine (its WireGuard), and one as a plain process (its netem)
#
# Debian packages, by apt, as root. Says nothing and takes no time when everything is there. No service is started.
# With --try it installs only where it may (root, on Debian) and otherwise says what is missing and goes on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
try=; [ "${1:-}" = --try ] && { try=yes; shift; }

packages=; newer=; newest=; images=
for group in ${*:-base db tls wireguard openvpn ike quic dtls srtp curvecp browser kernel}; do
  case $group in
  base) packages="$packages tshark gcc libc6-dev groff-base" ;;
  db) packages="$packages postgresql mariadb-server redis-server openssh-server" ;;
  tls) packages="$packages openssl gnutls-bin libnss3-tools" newer="$newer openssl gnutls-bin" ;;
  wireguard) packages="$packages wireguard-go wireguard-tools iproute2 iputils-ping socat curl iperf3" ;;
  openvpn) packages="$packages openvpn iproute2 socat curl" ;;
  ike)
    packages="$packages strongswan-charon strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins"
    packages="$packages libstrongswan-extra-plugins iproute2"
    ;;
  quic)
    packages="$packages ngtcp2-client ngtcp2-server caddy"
    newer="$newer openssl libssl-dev ngtcp2-client ngtcp2-server nginx haproxy curl python3-aioquic"
    ;;
  dtls)
    packages="$packages openssl gnutls-bin libnss3-dev libnss3-tools"
    newer="$newer openssl libmbedtls-dev" newest="$newest libwolfssl45 libwolfssl-dev libnss3"
    ;;
  srtp)
    packages="$packages libsrtp2-dev ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    packages="$packages gstreamer1.0-plugins-bad libbzrtp-dev libsqlite3-dev"
    ;;
  curvecp) packages="$packages nacl-tools" ;;
  browser) packages="$packages chromium" ;;
  kernel)
    packages="$packages qemu-system-x86 busybox-static cpio kmod iproute2 iputils-ping iperf3"
    images="$images user-mode-linux linux-image-cloud-amd64"
    ;;
  *)
    echo "install.sh: no group is called $group; there are: base db tls wireguard openvpn ike quic dtls srtp curvecp browser kernel" >&2
    exit 2
    ;;
  esac
done

missing=
for package in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
# Programs of newer Debians, which run beside this one.
beside() {
  { [ -z "$newer" ] || "$here/trixie.sh" "$1" $newer; } &&
    { [ -z "$newest" ] || SUITE=sid "$here/trixie.sh" "${2:-$1}" $newest; } &&
    { [ -z "$images" ] || SUITE=bookworm "$here/trixie.sh" "${2:-$1}" $images; }
}
if beside has; then unpack=; else unpack=yes; fi
[ -n "$missing$unpack" ] || exit 0

if ! command -v apt-get >/dev/null || { [ -n "$missing" ] && [ "$(id -u)" != 0 ]; }; then
  echo "Some real peers are missing:${missing:-}${unpack:+ those that trixie.sh unpacks}." >&2
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
  echo "unpacking$newer$newest$images" >&2
  beside up alone
fi
