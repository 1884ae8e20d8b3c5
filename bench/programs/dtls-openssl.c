/*
 * OpenSSL's DTLS 1.2 as what the benchmarks are measured beside (libssl-dev).
 *
 * dtls-openssl pairs CHAIN KEY MILLISECONDS      handshakes a second of processor, both ends in this process, datagrams in memory
 * dtls-openssl packets CHAIN KEY MILLISECONDS    messages of 1,200 bytes sealed at one end and opened at the other, a second of processor
 * dtls-openssl idle CHAIN KEY COUNT              bytes of resident memory that a pair of idle sessions takes
 * dtls-openssl sink CHAIN KEY                    a server on a free port, which it prints; counts messages until its input
 *                                                ends, then prints messages and milliseconds from the first to the last
 * dtls-openssl source PORT MILLISECONDS          a client that sends messages of 1,200 bytes to it for so long
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 1200
#define SUITES "ECDHE-ECDSA-AES128-GCM-SHA256"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Milliseconds of processor: what others do on the same core does not count. */
static double spent(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
  fprintf(stderr, "%s failed\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static SSL_CTX *context(const char *chain, const char *key) {
  SSL_CTX *ctx = SSL_CTX_new(chain ? DTLS_server_method() : DTLS_client_method());
  if (!SSL_CTX_set_cipher_list(ctx, SUITES)) die("suites");
  SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  if (chain && SSL_CTX_use_certificate_chain_file(ctx, chain) != 1) die("chain");
  if (chain && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) die("key");
  return ctx;
}

static SSL *session(SSL_CTX *ctx, int server) {
  SSL *ssl = SSL_new(ctx);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(ssl, in, out);
  SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(ssl, 1400);
  if (server) SSL_set_accept_state(ssl);
  else SSL_set_connect_state(ssl);
  return ssl;
}

/* What one end has written, to the other. */
static void carry(SSL *from, SSL *to) {
  char *bytes;
  long size = BIO_get_mem_data(SSL_get_wbio(from), &bytes);
  if (size <= 0) return;
  BIO_write(SSL_get_rbio(to), bytes, size);
  (void)BIO_reset(SSL_get_wbio(from));
}

static void shake(SSL *client, SSL *server) {
  for (int i = 0; i < 20; i++) {
    int a = SSL_do_handshake(client);
    carry(client, server);
    int b = SSL_do_handshake(server);
    carry(server, client);
    if (a == 1 && b == 1) return;
  }
  die("handshake");
}

static long resident(void) {
  long size, pages;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2) die("statm");
  fclose(f);
  return pages * sysconf(_SC_PAGESIZE);
}

/* What is lost is not waited for. */
static void be_patient(int fd) {
  struct timeval second = { .tv_sec = 1 };
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
}

static int sink(SSL_CTX *ctx) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, peer;
  socklen_t size = sizeof at, peer_size = sizeof peer;
  char bytes[2048];
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind(fd, (struct sockaddr *)&at, sizeof at)) die("bind");
  getsockname(fd, (struct sockaddr *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  recvfrom(fd, bytes, 1, MSG_PEEK, (struct sockaddr *)&peer, &peer_size);
  if (connect(fd, (struct sockaddr *)&peer, peer_size)) die("connect");
  SSL *ssl = SSL_new(ctx);
  BIO *bio = BIO_new_dgram(fd, BIO_NOCLOSE);
  BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &peer);
  SSL_set_bio(ssl, bio, bio);
  be_patient(fd);
  for (int i = 0; SSL_accept(ssl) != 1; i++)
    if (i == 5) die("accept");
  long count = 0;
  double first = 0, last = 0;
  for (;;) {
    int got = SSL_read(ssl, bytes, sizeof bytes);
    if (got <= 0) break; /* close_notify, or a second without anything */
    last = now();
    if (count++ == 0) first = last;
  }
  printf("%ld %.3f\n", count, last - first);
  return 0;
}

static int source(SSL_CTX *ctx, int port, double ms) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  SSL *ssl = SSL_new(ctx);
  BIO *bio = BIO_new_dgram(fd, BIO_NOCLOSE);
  BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
  SSL_set_bio(ssl, bio, bio);
  be_patient(fd);
  for (int i = 0; SSL_connect(ssl) != 1; i++)
    if (i == 5) die("connect");
  char bytes[MESSAGE] = { 0 };
  for (double end = now() + ms; now() < end;)
    for (int i = 0; i < 64; i++) SSL_write(ssl, bytes, sizeof bytes);
  for (int i = 0; i < 5; i++) {
    usleep(20000);
    SSL_shutdown(ssl);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *what = argv[1];
  alarm(30); /* nothing here takes so long */
  if (!strcmp(what, "source")) return source(context(NULL, NULL), atoi(argv[2]), atof(argv[3]));
  SSL_CTX *server_ctx = context(argv[2], argv[3]), *client_ctx = context(NULL, NULL);
  if (!strcmp(what, "sink")) return sink(server_ctx);
  if (argc < 5) return 2;
  double amount = atof(argv[4]), start = spent();
  long count = 0;
  if (!strcmp(what, "pairs")) {
    for (; spent() - start < amount; count++) {
      SSL *client = session(client_ctx, 0), *server = session(server_ctx, 1);
      shake(client, server);
      SSL_free(client);
      SSL_free(server);
    }
    printf("%.1f\n", count / (spent() - start) * 1e3);
  } else if (!strcmp(what, "packets")) {
    SSL *client = session(client_ctx, 0), *server = session(server_ctx, 1);
    char bytes[2048] = { 0 };
    shake(client, server);
    for (start = spent(); spent() - start < amount;)
      for (int i = 0; i < 64; i++) {
        SSL_write(client, bytes, MESSAGE);
        carry(client, server);
        if (SSL_read(server, bytes, sizeof bytes) != MESSAGE) die("read");
        count++;
      }
    printf("%.1f\n", count / (spent() - start) * 1e3);
  } else {
    int pairs = (int)amount;
    for (int i = 0; i < 100; i++) shake(session(client_ctx, 0), session(server_ctx, 1));
    long before = resident();
    for (int i = 0; i < pairs; i++) shake(session(client_ctx, 0), session(server_ctx, 1));
    printf("%.1f\n", (double)(resident() - before) / pairs);
  }
  return 0;
}
