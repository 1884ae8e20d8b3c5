/*
 * wolfSSL 5.9 as a DTLS 1.3 or 1.2 peer that echoes.
 *
 * wolf-dtls server|client -p PORT [-h ADDRESS] [-v 13|12] [-m cert|psk] [-d CERTIFICATES] [-i CID] [-n MESSAGES] [-u]
 *           [-g GROUP] [-l SUITES] [-A] [-M] [-t SECONDS]
 *   -i  our own connection ID, in hex, which the other side writes to us; - is one without bytes
 *   -u  a KeyUpdate half-way    -A  a server that asks for no certificate    -M  a client that moves to a new port half-way
 * Prints VERSION, EXPORTER (32 bytes of EXPORTER-sealport), CID-RX, CID-TX, RX lines, and DONE.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <poll.h>
/* a library built for glibc 2.38 wants this name, which 2.36 has not */
long __isoc23_strtol(const char *s, char **e, int b) {
  return strtol(s, e, b);
}

static int fd;
static struct sockaddr_in peer;
static int havepeer;

static const unsigned char PSK[16] = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}; /* test vector, no secret */

static int io_recv(WOLFSSL *ssl, char *b, int n, void *c) {
  struct sockaddr_in a;
  socklen_t l = sizeof a;
  int ms = wolfSSL_get_using_nonblock(ssl) ? 0 : wolfSSL_dtls_get_current_timeout(ssl) * 1000;
  (void)c;
  if (wolfSSL_is_init_finished(ssl)) ms = 10000;
  struct pollfd p = { fd, POLLIN, 0 };
  if (poll(&p, 1, ms) <= 0) return WOLFSSL_CBIO_ERR_TIMEOUT;
  int r = recvfrom(fd, b, n, 0, (struct sockaddr *)&a, &l);
  if (r < 0) return WOLFSSL_CBIO_ERR_GENERAL;
  if (havepeer && memcmp(&a.sin_port, &peer.sin_port, 2)) fprintf(stderr, "PEER MOVED %d -> %d\n", ntohs(peer.sin_port), ntohs(a.sin_port));
  peer = a;
  havepeer = 1;
  return r;
}

static int io_send(WOLFSSL *ssl, char *b, int n, void *c) {
  (void)ssl;
  (void)c;
  int r = sendto(fd, b, n, 0, (struct sockaddr *)&peer, sizeof peer);
  return r < 0 ? WOLFSSL_CBIO_ERR_GENERAL : r;
}

static unsigned int psk_cli(WOLFSSL *s, const char *h, char *id, unsigned int il, unsigned char *k, unsigned int kl) {
  (void)s;
  (void)h;
  (void)kl;
  snprintf(id, il, "sealport");
  memcpy(k, PSK, 16);
  return 16;
}

static unsigned int psk_srv(WOLFSSL *s, const char *id, unsigned char *k, unsigned int kl) {
  (void)s;
  (void)kl;
  fprintf(stderr, "PSK identity %s\n", id);
  if (strcmp(id, "sealport")) return 0;
  memcpy(k, PSK, 16);
  return 16;
}

static unsigned int psk_cli13(WOLFSSL *s, const char *h, char *id, unsigned int il, unsigned char *k, unsigned int kl, const char **cs) {
  *cs = "TLS13-AES128-GCM-SHA256";
  return psk_cli(s, h, id, il, k, kl);
}

static unsigned int psk_srv13(WOLFSSL *s, const char *id, unsigned char *k, unsigned int kl, const char **cs) {
  *cs = "TLS13-AES128-GCM-SHA256";
  return psk_srv(s, id, k, kl);
}

static void hex(const char *t, const unsigned char *p, int n) {
  printf("%s ", t);
  for (int i = 0; i < n; i++) printf("%02x", p[i]);
  puts("");
}

static void die(WOLFSSL *s, const char *w, int r) {
  char e[120];
  int x = s ? wolfSSL_get_error(s, r) : r;
  wolfSSL_ERR_error_string(x, e);
  fprintf(stderr, "FAIL %s: %d %s\n", w, x, e);
  exit(1);
}

int main(int argc, char **argv) {
  int srv = argc > 1 && !strcmp(argv[1], "server"), port = 4433, v = 13, psk = 0, n = 4, ku = 0, noauth = 0, move = 0, tmo = 20, o, grp = 0;
  const char *dir = ".", *host = "127.0.0.1", *cid = 0, *list = 0;
  optind = 2;
  while ((o = getopt(argc, argv, "p:h:v:m:d:i:n:ug:l:AMt:")) != -1) switch (o) {
    case 'p': port = atoi(optarg); break;
    case 'h': host = optarg; break;
    case 'v': v = atoi(optarg); break;
    case 'm': psk = !strcmp(optarg, "psk"); break;
    case 'd': dir = optarg; break;
    case 'i': cid = optarg; break;
    case 'n': n = atoi(optarg); break;
    case 'u': ku = 1; break;
    case 'g': grp = strtol(optarg, 0, 0); break;
    case 'l': list = optarg; break;
    case 'A': noauth = 1; break;
    case 'M': move = 1; break;
    case 't': tmo = atoi(optarg); break;
    default: return 2;
  }
  alarm(tmo);
  setvbuf(stdout, 0, _IOLBF, 0);
  wolfSSL_Init();
  WOLFSSL_CTX *ctx = wolfSSL_CTX_new(srv ? (v == 13 ? wolfDTLSv1_3_server_method() : wolfDTLSv1_2_server_method()) : (v == 13 ? wolfDTLSv1_3_client_method() : wolfDTLSv1_2_client_method()));
  char f[512];
  int r;
  if (list && wolfSSL_CTX_set_cipher_list(ctx, list) != 1) die(0, "cipher list", 0);
  if (psk) {
    if (srv) {
      wolfSSL_CTX_set_psk_server_callback(ctx, psk_srv);
      wolfSSL_CTX_set_psk_server_tls13_callback(ctx, psk_srv13);
    } else {
      wolfSSL_CTX_set_psk_client_callback(ctx, psk_cli);
      wolfSSL_CTX_set_psk_client_tls13_callback(ctx, psk_cli13);
      wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, 0);
    }
  } else {
    const char *me = srv ? "server" : "client";
    snprintf(f, sizeof f, "%s/%s.crt", dir, me);
    if ((r = wolfSSL_CTX_use_certificate_file(ctx, f, WOLFSSL_FILETYPE_PEM)) != 1) die(0, f, r);
    snprintf(f, sizeof f, "%s/%s.key", dir, me);
    if ((r = wolfSSL_CTX_use_PrivateKey_file(ctx, f, WOLFSSL_FILETYPE_PEM)) != 1) die(0, f, r);
    snprintf(f, sizeof f, "%s/ca.crt", dir);
    if ((r = wolfSSL_CTX_load_verify_locations(ctx, f, 0)) != 1) die(0, f, r);
    wolfSSL_CTX_set_verify(ctx, noauth && srv ? WOLFSSL_VERIFY_NONE : srv ? WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : WOLFSSL_VERIFY_PEER, 0);
  }
  wolfSSL_CTX_SetIORecv(ctx, io_recv);
  wolfSSL_CTX_SetIOSend(ctx, io_send);
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
  WOLFSSL *ssl = wolfSSL_new(ctx);
  wolfSSL_KeepArrays(ssl);
  wolfSSL_SetIOReadCtx(ssl, ssl);
  wolfSSL_SetIOWriteCtx(ssl, ssl);
  if (cid) {
    unsigned char b[32];
    int l = 0;
    if (cid[0] != '-') for (; cid[2*l]; l++) {
      unsigned x;
      sscanf(cid + 2*l, "%2x", &x);
      b[l] = x;
    }
    if (wolfSSL_dtls_cid_use(ssl) != 1 || wolfSSL_dtls_cid_set(ssl, b, l) != 1) die(ssl, "cid", 0);
  }
  if (grp) {
    int gs[1] = { grp };
    if (wolfSSL_set_groups(ssl, gs, 1) != 1) die(ssl, "groups", 0);
    if (!srv) wolfSSL_UseKeyShare(ssl, grp);
  }
  struct timeval t0, t1;
  gettimeofday(&t0, 0);
  for (;;) {
    r = srv ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl);
    if (r == 1) break;
    int e = wolfSSL_get_error(ssl, r);
    if (e == WOLFSSL_ERROR_WANT_READ || e == WOLFSSL_ERROR_WANT_WRITE) {
      if (!(srv && !havepeer)) wolfSSL_dtls_got_timeout(ssl);
      continue;
    }
    die(ssl, "handshake", r);
  }
  gettimeofday(&t1, 0);
  printf("VERSION %s CIPHER %s GROUP %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher_name(ssl), wolfSSL_get_curve_name(ssl));
  if (!srv) printf("HANDSHAKE_MS %.2f\n", (t1.tv_sec - t0.tv_sec) * 1e3 + (t1.tv_usec - t0.tv_usec) / 1e3);
  unsigned char ek[32];
  if (wolfSSL_export_keying_material(ssl, ek, 32, "EXPORTER-sealport", 17, 0, 0, 0) == 1) hex("EXPORTER", ek, 32);
  unsigned char cb[64];
  unsigned int cl;
  if (wolfSSL_dtls_cid_is_enabled(ssl)) {
    if (wolfSSL_dtls_cid_get_rx_size(ssl, &cl) == 1 && wolfSSL_dtls_cid_get_rx(ssl, cb, sizeof cb) == 1) hex("CID-RX", cb, cl);
    if (wolfSSL_dtls_cid_get_tx_size(ssl, &cl) == 1 && wolfSSL_dtls_cid_get_tx(ssl, cb, sizeof cb) == 1) hex("CID-TX", cb, cl);
  }
  char buf[2048];
  for (int i = 0; i < n; i++) {
    if (i == n / 2 && ku) {
      r = wolfSSL_update_keys(ssl);
      printf("KEYUPDATE %d\n", r);
    }
    if (i == n / 2 && move && !srv) {
      close(fd);
      fd = socket(AF_INET, SOCK_DGRAM, 0);
      printf("MOVED to a new source port\n");
    }
    if (!srv) {
      int l = snprintf(buf, sizeof buf, "message %d from wolfSSL", i);
      if ((r = wolfSSL_write(ssl, buf, l)) != l) die(ssl, "write", r);
    }
    r = wolfSSL_read(ssl, buf, sizeof buf - 1);
    if (r <= 0) {
      if (wolfSSL_get_error(ssl, r) == WOLFSSL_ERROR_ZERO_RETURN) {
        puts("CLOSED by peer");
        break;
      }
      die(ssl, "read", r);
    }
    buf[r] = 0;
    printf("RX %d: %s\n", i, buf);
    if (srv && wolfSSL_write(ssl, buf, r) != r) die(ssl, "write", r);
  }
  wolfSSL_shutdown(ssl);
  puts("DONE");
  wolfSSL_free(ssl);
  return 0;
}
