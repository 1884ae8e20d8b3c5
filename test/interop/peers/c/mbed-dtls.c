/*
 * Mbed TLS 3.6 as a DTLS 1.2 peer that echoes, with connection IDs, cookies and use_srtp.
 *
 * mbed-dtls server|client -p PORT [-h ADDRESS] [-m cert|psk] [-d CERTIFICATES] [-i CID] [-n MESSAGES] [-s] [-M] [-A]
 *           [-k KEYLOG] [-t SECONDS]
 *   -i  our own connection ID, in hex; - is one without bytes    -s  use_srtp    -M  a client that moves half-way
 *   -A  a server that asks for no certificate
 * Prints VERSION, EXPORTER, CID-RX, CID-TX, RX lines, and DONE.
 */
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cookie.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/error.h>
#include <mbedtls/timing.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <poll.h>
#include <arpa/inet.h>
#include <sys/socket.h>
long __isoc23_strtol(const char *s, char **e, int b) {
  return strtol(s, e, b);
}
int __isoc23_sscanf(const char *s, const char *f, ...) {
  (void)s;
  (void)f;
  return -1;
}

static int fd, havepeer;
static struct sockaddr_in peer;

static const unsigned char PSK[16] = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}; /* test vector, no secret */

static int snd(void *c, const unsigned char *b, size_t n) {
  (void)c;
  int r = sendto(fd, b, n, 0, (struct sockaddr *)&peer, sizeof peer);
  return r < 0 ? -0x4e : r;
}

static int rcv(void *c, unsigned char *b, size_t n, uint32_t ms) {
  (void)c;
  struct sockaddr_in a;
  socklen_t l = sizeof a;
  struct pollfd p = { fd, POLLIN, 0 };
  if (poll(&p, 1, ms ? (int)ms : 10000) <= 0) return MBEDTLS_ERR_SSL_TIMEOUT;
  int r = recvfrom(fd, b, n, 0, (struct sockaddr *)&a, &l);
  if (r < 0) return -0x4c;
  if (havepeer && a.sin_port != peer.sin_port) fprintf(stderr, "PEER MOVED %d -> %d\n", ntohs(peer.sin_port), ntohs(a.sin_port));
  peer = a;
  havepeer = 1;
  return r;
}

static void die(const char *w, int r) {
  char e[200];
  mbedtls_strerror(r, e, sizeof e);
  fprintf(stderr, "FAIL %s: -0x%x %s\n", w, -r, e);
  exit(1);
}

static void hex(const char *t, const unsigned char *p, int n) {
  printf("%s ", t);
  for (int i = 0; i < n; i++) printf("%02x", p[i]);
  puts("");
}
/* mbedtls_ssl_export_keying_material() of 3.6.6 crashes on DTLS 1.2 after the handshake, so the exporter is worked out here */

static unsigned char ms[64], rnd[64];
static size_t msl;
static int havesec;
static mbedtls_tls_prf_types prf;
static FILE *klog;

static void kcb(void *p, mbedtls_ssl_key_export_type t, const unsigned char *s, size_t l, const unsigned char cr[32], const unsigned char sr[32], mbedtls_tls_prf_types pt) {
  (void)p;
  if (t != MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET || l > sizeof ms) return;
  memcpy(ms, s, msl = l);
  memcpy(rnd, cr, 32);
  memcpy(rnd + 32, sr, 32);
  prf = pt;
  havesec = 1;
  if (klog) {
    fputs("CLIENT_RANDOM ", klog);
    for (int i = 0; i < 32; i++) fprintf(klog, "%02x", cr[i]);
    fputc(' ', klog);
    for (size_t i = 0; i < l; i++) fprintf(klog, "%02x", s[i]);
    fputc('\n', klog);
    fflush(klog);
  }
}

int main(int argc, char **argv) {
  int srv = argc > 1 && !strcmp(argv[1], "server"), port = 4433, psk = 0, n = 4, srtp = 0, move = 0, noauth = 0, tmo = 20, o, r;
  const char *dir = ".", *host = "127.0.0.1", *cid = 0;
  char f[512];
  optind = 2;
  while ((o = getopt(argc, argv, "p:h:m:d:i:n:sMAt:k:")) != -1) switch (o) {
    case 'p': port = atoi(optarg); break;
    case 'h': host = optarg; break;
    case 'm': psk = !strcmp(optarg, "psk"); break;
    case 'd': dir = optarg; break;
    case 'i': cid = optarg; break;
    case 'n': n = atoi(optarg); break;
    case 's': srtp = 1; break;
    case 'k': klog = fopen(optarg, "a"); break;
    case 'M': move = 1; break;
    case 'A': noauth = srv; break;
    case 't': tmo = atoi(optarg); break;
    default: return 2;
  }
  alarm(tmo);
  setvbuf(stdout, 0, _IOLBF, 0);
  psa_crypto_init();
  mbedtls_entropy_context en;
  mbedtls_ctr_drbg_context dr;
  mbedtls_ssl_config cf;
  mbedtls_ssl_context ss;
  mbedtls_x509_crt ca, crt;
  mbedtls_pk_context key;
  mbedtls_ssl_cookie_ctx ck;
  mbedtls_timing_delay_context tm;
  mbedtls_entropy_init(&en);
  mbedtls_ctr_drbg_init(&dr);
  mbedtls_ssl_config_init(&cf);
  mbedtls_ssl_init(&ss);
  mbedtls_x509_crt_init(&ca);
  mbedtls_x509_crt_init(&crt);
  mbedtls_pk_init(&key);
  mbedtls_ssl_cookie_init(&ck);
  mbedtls_ctr_drbg_seed(&dr, mbedtls_entropy_func, &en, 0, 0);
  if ((r = mbedtls_ssl_config_defaults(&cf, srv ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM, 0))) die("defaults", r);
  mbedtls_ssl_conf_rng(&cf, mbedtls_ctr_drbg_random, &dr);
  if (psk) {
    if ((r = mbedtls_ssl_conf_psk(&cf, PSK, 16, (const unsigned char *)"sealport", 8))) die("psk", r);
  } else {
    const char *me = srv ? "server" : "client";
    snprintf(f, sizeof f, "%s/ca.crt", dir);
    if ((r = mbedtls_x509_crt_parse_file(&ca, f))) die(f, r);
    snprintf(f, sizeof f, "%s/%s.crt", dir, me);
    if ((r = mbedtls_x509_crt_parse_file(&crt, f))) die(f, r);
    snprintf(f, sizeof f, "%s/%s.key", dir, me);
    if ((r = mbedtls_pk_parse_keyfile(&key, f, 0, mbedtls_ctr_drbg_random, &dr))) die(f, r);
    mbedtls_ssl_conf_ca_chain(&cf, &ca, 0);
    mbedtls_ssl_conf_own_cert(&cf, &crt, &key);
    mbedtls_ssl_conf_authmode(&cf, noauth ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
  }
  if (srv) {
    mbedtls_ssl_cookie_setup(&ck, mbedtls_ctr_drbg_random, &dr);
    mbedtls_ssl_conf_dtls_cookies(&cf, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &ck);
  }
  unsigned char own[32];
  int ol = 0;
  if (cid) {
    if (cid[0] != '-') for (; cid[2*ol]; ol++) {
      char h[3] = { cid[2*ol], cid[2*ol+1], 0 };
      own[ol] = strtol(h, 0, 16);
    }
    if ((r = mbedtls_ssl_conf_cid(&cf, ol, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE))) die("conf_cid", r);
  }
  static const mbedtls_ssl_srtp_profile pr[] = { MBEDTLS_TLS_SRTP_AES128_CM_HMAC_SHA1_80, MBEDTLS_TLS_SRTP_UNSET };
  if (srtp && (r = mbedtls_ssl_conf_dtls_srtp_protection_profiles(&cf, pr))) die("srtp", r);
  if ((r = mbedtls_ssl_setup(&ss, &cf))) die("setup", r);
  if (!srv) mbedtls_ssl_set_hostname(&ss, "localhost");
  if (cid && (r = mbedtls_ssl_set_cid(&ss, MBEDTLS_SSL_CID_ENABLED, own, ol))) die("set_cid", r);
  mbedtls_ssl_set_export_keys_cb(&ss, kcb, 0);
  mbedtls_ssl_set_bio(&ss, 0, snd, 0, rcv);
  mbedtls_ssl_set_timer_cb(&ss, &tm, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
  inet_pton(AF_INET, host, &a.sin_addr);
  if (srv) {
    if (bind(fd, (struct sockaddr *)&a, sizeof a)) {
      perror("bind");
      return 1;
    }
  } else {
    peer = a;
    havepeer = 1;
  }
  if (srv) {
    struct pollfd p = { fd, POLLIN, 0 };
    poll(&p, 1, tmo * 1000);
    struct sockaddr_in b;
    socklen_t l = sizeof b;
    char x[1];
    recvfrom(fd, x, 1, MSG_PEEK, (struct sockaddr *)&b, &l);
    mbedtls_ssl_set_client_transport_id(&ss, (unsigned char *)&b, sizeof b);
  }
  for (;;) {
    r = mbedtls_ssl_handshake(&ss);
    if (!r) break;
    if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE || r == MBEDTLS_ERR_SSL_TIMEOUT) continue;
    if (r == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
      puts("HELLO-VERIFY sent");
      mbedtls_ssl_session_reset(&ss);
      mbedtls_ssl_set_client_transport_id(&ss, (unsigned char *)&peer, sizeof peer);
      if (cid) mbedtls_ssl_set_cid(&ss, MBEDTLS_SSL_CID_ENABLED, own, ol);
      continue;
    }
    die("handshake", r);
  }
  printf("VERSION %s CIPHER %s (Mbed TLS %s)\n", mbedtls_ssl_get_version(&ss), mbedtls_ssl_get_ciphersuite(&ss), MBEDTLS_VERSION_STRING);
  if (havesec) {
    unsigned char ek[32];
    if (!mbedtls_ssl_tls_prf(prf, ms, msl, "EXPORTER-sealport", rnd, 64, ek, 32)) hex("EXPORTER", ek, 32);
  }
  int en2;
  unsigned char pc[32];
  size_t pl;
  if (cid && !mbedtls_ssl_get_peer_cid(&ss, &en2, pc, &pl)) {
    if (en2 == MBEDTLS_SSL_CID_ENABLED) {
      hex("CID-RX", own, ol);
      hex("CID-TX", pc, pl);
    } else puts("CID not negotiated");
  }
  if (srtp) {
    mbedtls_dtls_srtp_info si;
    mbedtls_ssl_get_dtls_srtp_negotiation_result(&ss, &si);
    printf("SRTP profile 0x%04x\n", si.MBEDTLS_PRIVATE(chosen_dtls_srtp_profile));
  }
  char b[2048];
  for (int i = 0; i < n; i++) {
    if (i == n / 2 && move && !srv) {
      close(fd);
      fd = socket(AF_INET, SOCK_DGRAM, 0);
      puts("MOVED to a new source port");
    }
    if (!srv) {
      int l = snprintf(b, sizeof b, "message %d from Mbed TLS", i);
      if ((r = mbedtls_ssl_write(&ss, (unsigned char *)b, l)) < 0) die("write", r);
    }
    do r = mbedtls_ssl_read(&ss, (unsigned char *)b, sizeof b - 1);
    while (r == MBEDTLS_ERR_SSL_WANT_READ);
    if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      puts("CLOSED by peer");
      break;
    }
    if (r <= 0) die("read", r);
    b[r] = 0;
    printf("RX %d: %s\n", i, b);
    if (srv) mbedtls_ssl_write(&ss, (unsigned char *)b, r);
  }
  mbedtls_ssl_close_notify(&ss);
  puts("DONE");
  return 0;
}
