/* The benchmarks' application on OpenSSL 3.5's QUIC: a stream asks with eight bytes, a number, and so many come back.
 * server PORT CERTIFICATE KEY          one connection after the other
 * client PORT CA bulk BYTES            prints milliseconds
 * client PORT CA latency COUNT         prints the median and the 99th percentile of as many requests, in microseconds
 * client PORT CA shake MS              handshakes, each with a request of a byte, one after the other; prints how many, and milliseconds */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/quic.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const unsigned char alpn[] = {5, 'b', 'e', 'n', 'c', 'h'};
static unsigned char buffer[65536];
static struct sockaddr_in address;

static void fail(const char *what) {
  fprintf(stderr, "FAILED %s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned in_size,
                  void *unused) {
  (void)ssl;
  (void)unused;
  int chosen = SSL_select_next_proto((unsigned char **)out, size, alpn, sizeof alpn, in, in_size);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int open_port(void) {
  int port = socket(AF_INET, SOCK_DGRAM, 0), large = 4 << 20;
  setsockopt(port, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  return port;
}

static void answer(SSL *stream) {
  size_t read, written, have = 0;
  unsigned long long left = 0;
  while (have < 8 && SSL_read_ex(stream, buffer + have, 8 - have, &read)) have += read;
  for (int i = 0; i < 8; i++) left = left << 8 | buffer[i];
  for (; left > 0; left -= written) {
    if (!SSL_write_ex(stream, buffer, left < sizeof buffer ? left : sizeof buffer, &written)) return;
  }
  SSL_stream_conclude(stream, 0);
}

static void server(char **argv) {
  int port = open_port();
  SSL_CTX *context = SSL_CTX_new(OSSL_QUIC_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1) fail(argv[3]);
  if (SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1) fail(argv[4]);
  SSL_CTX_set_alpn_select_cb(context, choose, NULL);
  if (bind(port, (struct sockaddr *)&address, sizeof address)) fail("bind");
  SSL *listener = SSL_new_listener(context, SSL_LISTENER_FLAG_NO_VALIDATE);
  if (!listener || !SSL_set_fd(listener, port) || !SSL_listen(listener)) fail("listen");
  puts("LISTENING");
  for (;;) {
    SSL *connection = SSL_accept_connection(listener, 0), *stream;
    if (!connection) fail("accept");
    SSL_set_default_stream_mode(connection, SSL_DEFAULT_STREAM_MODE_NONE);
    SSL_set_incoming_stream_policy(connection, SSL_INCOMING_STREAM_POLICY_ACCEPT, 0);
    if (SSL_do_handshake(connection) == 1) {
      while ((stream = SSL_accept_stream(connection, 0)) != NULL) {
        answer(stream);
        SSL_free(stream);
      }
    }
    ERR_clear_error();
    SSL_free(connection);
  }
}

static SSL *connected(SSL_CTX *context) {
  SSL *connection = SSL_new(context);
  BIO_ADDR *peer = BIO_ADDR_new();
  SSL_set_fd(connection, open_port());
  SSL_set_tlsext_host_name(connection, "bench.test");
  SSL_set1_host(connection, "bench.test");
  SSL_set_alpn_protos(connection, alpn, sizeof alpn);
  BIO_ADDR_rawmake(peer, AF_INET, &address.sin_addr, 4, address.sin_port);
  SSL_set1_initial_peer_addr(connection, peer);
  BIO_ADDR_free(peer);
  SSL_set_default_stream_mode(connection, SSL_DEFAULT_STREAM_MODE_NONE);
  if (SSL_connect(connection) != 1) fail("connect");
  return connection;
}

static void ask(SSL *connection, unsigned long long bytes) {
  SSL *stream = SSL_new_stream(connection, 0);
  unsigned char asked[8];
  size_t moved;
  for (int i = 0; i < 8; i++) asked[i] = (unsigned char)(bytes >> (56 - 8 * i));
  if (!SSL_write_ex2(stream, asked, 8, SSL_WRITE_FLAG_CONCLUDE, &moved)) fail("write");
  while (SSL_read_ex(stream, buffer, sizeof buffer, &moved)) bytes -= moved;
  if (bytes != 0) fail("all that was asked for");
  SSL_free(stream);
}

static int ascending(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static void client(char **argv) {
  unsigned long long amount = strtoull(argv[5], NULL, 10);
  SSL_CTX *context = SSL_CTX_new(OSSL_QUIC_client_method());
  if (SSL_CTX_load_verify_locations(context, argv[3], NULL) != 1) fail(argv[3]);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  if (!strcmp(argv[4], "shake")) {
    int count = 0;
    double start = now();
    for (; now() - start < (double)amount; count++) {
      SSL *connection = connected(context);
      ask(connection, 1);
      int port = SSL_get_fd(connection);
      SSL_shutdown_ex(connection, SSL_SHUTDOWN_FLAG_RAPID, NULL, 0);
      SSL_free(connection);
      close(port);
    }
    printf("%d %.3f\n", count, now() - start);
    return;
  }
  SSL *connection = connected(context);
  if (!strcmp(argv[4], "bulk")) {
    ask(connection, 2000000);
    double start = now();
    ask(connection, amount);
    printf("%.3f\n", now() - start);
  } else {
    double *took = malloc(amount * sizeof *took);
    for (int i = 0; i < 200; i++) ask(connection, 100);
    for (unsigned long long i = 0; i < amount; i++) {
      double start = now();
      ask(connection, 100);
      took[i] = now() - start;
    }
    qsort(took, amount, sizeof *took, ascending);
    printf("%.1f %.1f\n", took[(amount - 1) / 2] * 1e3, took[(amount - 1) * 99 / 100] * 1e3);
  }
  SSL_shutdown_ex(connection, SSL_SHUTDOWN_FLAG_RAPID, NULL, 0);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(argv[2]));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (!strcmp(argv[1], "server")) server(argv);
  else client(argv);
  return 0;
}
