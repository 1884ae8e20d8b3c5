/* A QUIC end on OpenSSL 3.5.
 * server PORT CERTIFICATE KEY ALPN [-V]    gives back each bidirectional stream, one connection after the other; without -V
 *                                          it proves addresses with a Retry, as OpenSSL does
 * client PORT CA ALPN SIZE [-u] [-n N]     sends SIZE bytes on each of N streams, one after the other, and compares what
 *                                          comes back; -u updates keys before the second stream */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/quic.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char alpn[256];
static unsigned alpn_size;
static unsigned char buffer[65536];

static void fail(const char *what) {
  fprintf(stderr, "FAILED %s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned in_size,
                  void *unused) {
  (void)ssl;
  (void)unused;
  int chosen = SSL_select_next_proto((unsigned char **)out, size, alpn, alpn_size, in, in_size);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int port_at(const char *text, struct sockaddr_in *address) {
  int socket_ = socket(AF_INET, SOCK_DGRAM, 0), large = 4 << 20;
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_port = htons((unsigned short)atoi(text));
  inet_pton(AF_INET, "127.0.0.1", &address->sin_addr);
  return socket_;
}

static void serve_connection(SSL *connection) {
  const unsigned char *name;
  unsigned size;
  SSL *stream;
  SSL_set_default_stream_mode(connection, SSL_DEFAULT_STREAM_MODE_NONE);
  SSL_set_incoming_stream_policy(connection, SSL_INCOMING_STREAM_POLICY_ACCEPT, 0);
  if (SSL_do_handshake(connection) != 1) {
    ERR_print_errors_fp(stderr);
    return;
  }
  SSL_get0_alpn_selected(connection, &name, &size);
  printf("ACCEPTED alpn=%.*s cipher=%s\n", (int)size, name, SSL_get_cipher(connection));
  while ((stream = SSL_accept_stream(connection, 0)) != NULL) {
    size_t all = 0, read, written;
    while (SSL_read_ex(stream, buffer, sizeof buffer, &read)) {
      all += read;
      if (!SSL_write_ex(stream, buffer, read, &written)) break;
    }
    SSL_stream_conclude(stream, 0);
    printf("ECHOED %zu\n", all);
    SSL_free(stream);
  }
  ERR_clear_error();
  puts("CLOSED");
}

static void server(char **argv, int validates) {
  struct sockaddr_in address;
  int port = port_at(argv[2], &address);
  SSL_CTX *context = SSL_CTX_new(OSSL_QUIC_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1) fail(argv[3]);
  if (SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1) fail(argv[4]);
  SSL_CTX_set_alpn_select_cb(context, choose, NULL);
  if (bind(port, (struct sockaddr *)&address, sizeof address)) fail("bind");
  SSL *listener = SSL_new_listener(context, validates ? 0 : SSL_LISTENER_FLAG_NO_VALIDATE);
  if (!listener || !SSL_set_fd(listener, port) || !SSL_listen(listener)) fail("listen");
  puts("LISTENING");
  for (;;) {
    SSL *connection = SSL_accept_connection(listener, 0);
    if (!connection) fail("accept");
    serve_connection(connection);
    SSL_free(connection);
  }
}

static void exchange(SSL *connection, size_t size) {
  SSL *stream = SSL_new_stream(connection, 0);
  unsigned char *sent = malloc(size), *back = malloc(size + 1);
  size_t out = 0, in = 0, moved;
  for (size_t i = 0; i < size; i++) sent[i] = (unsigned char)(i * 7 + i / 251);
  while (out < size) {
    size_t piece = size - out > 16384 ? 16384 : size - out;
    if (!SSL_write_ex(stream, sent + out, piece, &moved)) fail("write");
    out += moved;
    while (in < out && out < size && SSL_pending(stream)) {
      if (!SSL_read_ex(stream, back + in, size - in, &moved)) break;
      in += moved;
    }
  }
  SSL_stream_conclude(stream, 0);
  while (in < size && SSL_read_ex(stream, back + in, size - in, &moved)) in += moved;
  if (in != size || memcmp(sent, back, size)) fail("the same bytes back");
  printf("SAME %zu\n", in);
  SSL_free(stream);
  free(sent);
  free(back);
}

static void client(int argc, char **argv) {
  struct sockaddr_in address;
  int port = port_at(argv[2], &address), updates = 0;
  unsigned long size = (unsigned long)atoll(argv[5]), streams = 1;
  for (int i = 6; i < argc; i++) {
    if (!strcmp(argv[i], "-u")) updates = 1;
    if (!strcmp(argv[i], "-n")) streams = (unsigned long)atoll(argv[i + 1]);
  }
  SSL_CTX *context = SSL_CTX_new(OSSL_QUIC_client_method());
  if (SSL_CTX_load_verify_locations(context, argv[3], NULL) != 1) fail(argv[3]);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL *connection = SSL_new(context);
  SSL_set_fd(connection, port);
  SSL_set_tlsext_host_name(connection, "localhost");
  SSL_set1_host(connection, "localhost");
  SSL_set_alpn_protos(connection, alpn, alpn_size);
  BIO_ADDR *peer = BIO_ADDR_new();
  BIO_ADDR_rawmake(peer, AF_INET, &address.sin_addr, 4, address.sin_port);
  SSL_set1_initial_peer_addr(connection, peer);
  SSL_set_default_stream_mode(connection, SSL_DEFAULT_STREAM_MODE_NONE);
  if (SSL_connect(connection) != 1) fail("connect");
  printf("CONNECTED cipher=%s\n", SSL_get_cipher(connection));
  for (unsigned long i = 0; i < streams; i++) {
    if (updates && i == 1) printf("KEY UPDATE %d\n", SSL_key_update(connection, SSL_KEY_UPDATE_REQUESTED));
    exchange(connection, size);
  }
  SSL_shutdown(connection);
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *name = argv[strcmp(argv[1], "server") ? 4 : 5];
  alpn[0] = (unsigned char)strlen(name);
  memcpy(alpn + 1, name, alpn[0]);
  alpn_size = alpn[0] + 1u;
  if (strcmp(argv[1], "server")) client(argc, argv);
  else server(argv, argc < 7 || strcmp(argv[6], "-V"));
  return 0;
}
