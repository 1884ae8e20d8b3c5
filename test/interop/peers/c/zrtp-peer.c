/*
 * libbzrtp as a ZRTP endpoint (Debian's libbzrtp-dev), over UDP on 127.0.0.1, and libsrtp under the keys that come of it.
 *
 * zrtp-peer REMOTEPORT SSRC [OPTION VALUE]…
 *   hash, cipher, tag, ka, sas   what it offers, by the names of RFC 6189's blocks, with commas between
 *   cache FILE                   an SQLite file of retained secrets; the peer is sip:peer, we are sip:self
 *   aux HEX                      an auxiliary shared secret
 *   waits 1                      begins when it reads a line with the peer's zrtp-hash, "1.10 HEX"
 *   streams 2                    a second stream, Multistream, with SSRC + 1 on a port of its own
 *   remote2 PORT                 where that stream's peer is
 *   media 1                      RTP packets that come protected go back protected
 *   export LABEL                 prints "exported HEX", a key that is derived from the call's
 * It prints a line "port N" first ("port2 N" for a second stream), then "hellohash 1.10 HEX", and for each stream
 *   "I secure hash=… cipher=… tag=… ka=… sas=… SAS verified=0|1 mismatch=0|1 aux=N"
 *   "I keys SELFKEY SELFSALT PEERKEY PEERSALT"
 * then "I media N" for packets that came. "verified" on standard input tells the library that the words were the same. It
 * ends with its standard input.
 * zrtp-peer bench KA SECONDS
 *   Handshakes of two endpoints in this process, without a network: prints how many, and the seconds of processor time.
 */
#include <arpa/inet.h>
#include <bzrtp/bzrtp.h>
#include <poll.h>
#include <sqlite3.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAMS_MAX 2
#define ROOM 4096

static const struct {
  const char *name;
  uint8_t type, value;
} rows[] = {
  { "S256", ZRTP_HASH_TYPE, ZRTP_HASH_S256 },           { "S384", ZRTP_HASH_TYPE, ZRTP_HASH_S384 },
  { "AES1", ZRTP_CIPHERBLOCK_TYPE, ZRTP_CIPHER_AES1 },  { "AES2", ZRTP_CIPHERBLOCK_TYPE, ZRTP_CIPHER_AES2 },
  { "AES3", ZRTP_CIPHERBLOCK_TYPE, ZRTP_CIPHER_AES3 },  { "HS32", ZRTP_AUTHTAG_TYPE, ZRTP_AUTHTAG_HS32 },
  { "HS80", ZRTP_AUTHTAG_TYPE, ZRTP_AUTHTAG_HS80 },     { "DH2k", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_DH2k },
  { "X255", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_X255 }, { "EC25", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_EC25 },
  { "X448", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_X448 }, { "DH3k", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_DH3k },
  { "EC38", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_EC38 }, { "EC52", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_EC52 },
  { "Mult", ZRTP_KEYAGREEMENT_TYPE, ZRTP_KEYAGREEMENT_Mult }, { "B32", ZRTP_SAS_TYPE, ZRTP_SAS_B32 },
  { "B256", ZRTP_SAS_TYPE, ZRTP_SAS_B256 },
};

static const char *name_of(uint8_t value) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) if (rows[i].value == value) return rows[i].name;
  return "?";
}

static void offer(bzrtpContext_t *context, uint8_t type, char *list) {
  uint8_t values[7];
  int count = 0;
  for (char *each = strtok(list, ","); each && count < 7; each = strtok(0, ","))
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      if (rows[i].type == type && !strcmp(rows[i].name, each)) values[count++] = rows[i].value;
  if (type == ZRTP_KEYAGREEMENT_TYPE && count < 7) values[count++] = ZRTP_KEYAGREEMENT_Mult;
  bzrtp_setSupportedCryptoTypes(context, type, values, count);
}

static struct stream {
  int index, socket;
  uint32_t ssrc;
  struct sockaddr_in to;
  int secure;
  unsigned char self[64], peer[64];
  srtp_t out, in;
  int echoes;
} streams[STREAMS_MAX];
static bzrtpContext_t *context;
static int media;

static void hex(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
}

static int send_packet(void *data, const uint8_t *packet, uint16_t size) {
  struct stream *stream = data;
  sendto(stream->socket, packet, size, 0, (struct sockaddr *)&stream->to, sizeof stream->to);
  return 0;
}

static int secrets(void *data, const bzrtpSrtpSecrets_t *secrets, uint8_t part) {
  struct stream *stream = data;
  if (part & ZRTP_SRTP_SECRETS_FOR_SENDER) {
    memcpy(stream->self, secrets->selfSrtpKey, secrets->selfSrtpKeyLength);
    memcpy(stream->self + secrets->selfSrtpKeyLength, secrets->selfSrtpSalt, secrets->selfSrtpSaltLength);
  }
  if (part & ZRTP_SRTP_SECRETS_FOR_RECEIVER) {
    memcpy(stream->peer, secrets->peerSrtpKey, secrets->peerSrtpKeyLength);
    memcpy(stream->peer + secrets->peerSrtpKeyLength, secrets->peerSrtpSalt, secrets->peerSrtpSaltLength);
  }
  return 0;
}

static void crypto_policy(srtp_crypto_policy_t *policy, const bzrtpSrtpSecrets_t *secrets, int is_rtp) {
  if (secrets->cipherKeyLength == 32) srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(policy);
  else srtp_crypto_policy_set_rtp_default(policy);
  if (is_rtp && secrets->authTagAlgo == ZRTP_AUTHTAG_HS32) policy->auth_tag_len = 4;
}

static void protect_with(struct stream *stream, const bzrtpSrtpSecrets_t *secrets) {
  srtp_policy_t policy;
  memset(&policy, 0, sizeof policy);
  crypto_policy(&policy.rtp, secrets, 1);
  crypto_policy(&policy.rtcp, secrets, 0);
  policy.window_size = 1024;
  policy.key = stream->self;
  policy.ssrc.type = ssrc_any_outbound;
  srtp_create(&stream->out, &policy);
  policy.key = stream->peer;
  policy.ssrc.type = ssrc_any_inbound;
  srtp_create(&stream->in, &policy);
}

static int secure(void *data, const bzrtpSrtpSecrets_t *secrets, int32_t verified) {
  struct stream *stream = data;
  int key = secrets->cipherKeyLength;
  protect_with(stream, secrets);
  stream->secure = 1;
  printf("%d keys ", stream->index);
  hex(stream->self, key), putchar(' '), hex(stream->self + key, 14), putchar(' ');
  hex(stream->peer, key), putchar(' '), hex(stream->peer + key, 14);
  printf("\n%d secure hash=%s cipher=%s tag=%s ka=%s sas=%s %s verified=%d mismatch=%d aux=%d\n", stream->index,
    name_of(secrets->hashAlgo), name_of(secrets->cipherAlgo), name_of(secrets->authTagAlgo), name_of(secrets->keyAgreementAlgo),
    name_of(secrets->sasAlgo), secrets->sas ? secrets->sas : "-", verified, secrets->cacheMismatch, secrets->auxSecretMismatch);
  return 0;
}

/* Only here has the library the key that others are derived from. */
static char *label;

static int exporting(void *data, int zuid, uint8_t role) {
  uint8_t key[64];
  size_t size = 32;
  (void)data, (void)zuid, (void)role;
  if (!label) return 0;
  if (bzrtp_exportKey(context, label, strlen(label), key, &size)) return puts("no export"), 0;
  printf("exported ");
  hex(key, size);
  putchar('\n');
  return 0;
}

static uint64_t milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void open_stream(struct stream *stream, int index, uint32_t ssrc, int remote) {
  struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t size = sizeof local;
  stream->index = index;
  stream->ssrc = ssrc;
  stream->socket = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(stream->socket, (struct sockaddr *)&local, sizeof local)) perror("bind"), exit(1);
  getsockname(stream->socket, (struct sockaddr *)&local, &size);
  stream->to = local;
  stream->to.sin_port = htons(remote);
  printf("port%s %d\n", index ? "2" : "", ntohs(local.sin_port));
}

static void packet_came(struct stream *stream) {
  static uint8_t bytes[ROOM] __attribute__((aligned(16)));
  int size = recv(stream->socket, bytes, ROOM - SRTP_MAX_TRAILER_LEN, 0);
  if (size < 12) return;
  if ((bytes[0] & 0xf0) == 0x10) {
    bzrtp_processMessage(context, stream->ssrc, bytes, size);
    return;
  }
  if (!stream->in || srtp_unprotect(stream->in, bytes, &size)) return;
  printf("%d media %d\n", stream->index, ++media);
  /* The source is ours now. */
  bytes[11] ^= 0xff;
  if (!stream->echoes || srtp_protect(stream->out, bytes, &size)) return;
  sendto(stream->socket, bytes, size, 0, (struct sockaddr *)&stream->to, sizeof stream->to);
}

/* Two endpoints in one process: what one sends the other gets when this one has returned. */
static struct { uint8_t bytes[1024]; uint16_t size; int to; } queue[64];
static unsigned queued, taken, finished;

static int enqueue(void *data, const uint8_t *packet, uint16_t size) {
  memcpy(queue[queued % 64].bytes, packet, size);
  queue[queued % 64].size = size;
  queue[queued++ % 64].to = !(int)(intptr_t)data;
  return 0;
}

static int done(void *data, const bzrtpSrtpSecrets_t *secrets, int32_t verified) { (void)data, (void)secrets, (void)verified; finished++; return 0; }
static int ignored(void *data, const bzrtpSrtpSecrets_t *secrets, uint8_t part) { (void)data, (void)secrets, (void)part; return 0; }

static int bench(const char *agreement, double seconds) {
  clock_t start = clock(), now;
  long handshakes = 0;
  do {
    bzrtpContext_t *ends[2];
    bzrtpCallbacks_t callbacks = { .bzrtp_sendData = enqueue, .bzrtp_srtpSecretsAvailable = ignored, .bzrtp_startSrtpSession = done };
    queued = taken = finished = 0;
    for (int i = 0; i < 2; i++) {
      char list[8];
      ends[i] = bzrtp_createBzrtpContext();
      snprintf(list, sizeof list, "%s", agreement);
      bzrtp_setCallbacks(ends[i], &callbacks);
      offer(ends[i], ZRTP_KEYAGREEMENT_TYPE, list);
      bzrtp_initBzrtpContext(ends[i], 1 + i);
      bzrtp_setClientData(ends[i], 1 + i, (void *)(intptr_t)i);
    }
    for (int i = 0; i < 2; i++) bzrtp_startChannelEngine(ends[i], 1 + i);
    /* The first to be woken says Hello, and everything follows from that. */
    uint64_t time = 0;
    while (finished < 2 && time < 10000) {
      if (taken == queued) {
        for (int i = 0; i < 2; i++) bzrtp_iterate(ends[i], 1 + i, time);
        time += 10;
        continue;
      }
      int to = queue[taken % 64].to;
      bzrtp_processMessage(ends[to], 1 + to, queue[taken % 64].bytes, queue[taken % 64].size);
      taken++;
    }
    if (finished < 2) return puts("{\"error\":\"no handshake\"}"), 1;
    for (int i = 0; i < 2; i++) bzrtp_destroyBzrtpContext(ends[i], 1 + i);
    handshakes++;
    now = clock();
  } while (now - start < seconds * CLOCKS_PER_SEC);
  printf("{\"handshakes\":%ld,\"seconds\":%.3f}\n", handshakes, (double)(now - start) / CLOCKS_PER_SEC);
  return 0;
}

int main(int argc, char **argv) {
  static const struct { const char *word; uint8_t type; } lists[] = {
    { "hash", ZRTP_HASH_TYPE }, { "cipher", ZRTP_CIPHERBLOCK_TYPE }, { "tag", ZRTP_AUTHTAG_TYPE },
    { "ka", ZRTP_KEYAGREEMENT_TYPE }, { "sas", ZRTP_SAS_TYPE },
  };
  bzrtpCallbacks_t callbacks = {
    .bzrtp_sendData = send_packet, .bzrtp_srtpSecretsAvailable = secrets, .bzrtp_startSrtpSession = secure,
    .bzrtp_contextReadyForExportedKeys = exporting,
  };
  char signalled[128];
  int waits = 0, wanted = 1, remote2 = 0, echoes = 0, opened = 1;
  uint8_t auxiliary[64], hello[128];
  size_t auxiliary_size = 0;
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc == 4 && !strcmp(argv[1], "bench")) return bench(argv[2], atof(argv[3]));
  if (argc < 3) return 2;
  srtp_init();
  uint32_t ssrc = strtoul(argv[2], 0, 16);
  context = bzrtp_createBzrtpContext();
  bzrtp_setCallbacks(context, &callbacks);
  for (int i = 3; i + 1 < argc; i += 2) {
    char *word = argv[i], *value = argv[i + 1];
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) if (!strcmp(lists[k].word, word)) offer(context, lists[k].type, value);
    if (!strcmp(word, "cache")) {
      sqlite3 *db;
      if (sqlite3_open(value, &db)) return 1;
      bzrtp_initCache_lock(db, 0);
      bzrtp_setZIDCache_lock(context, db, "sip:self", "sip:peer", 0);
    }
    if (!strcmp(word, "aux"))
      for (unsigned byte; auxiliary_size < sizeof auxiliary && sscanf(value + 2 * auxiliary_size, "%2x", &byte) == 1;) auxiliary[auxiliary_size++] = byte;
    if (!strcmp(word, "waits")) waits = 1;
    if (!strcmp(word, "streams")) wanted = atoi(value);
    if (!strcmp(word, "remote2")) remote2 = atoi(value);
    if (!strcmp(word, "media")) echoes = 1;
    if (!strcmp(word, "export")) label = value;
  }
  if (bzrtp_initBzrtpContext(context, ssrc)) return 1;
  if (auxiliary_size) bzrtp_setAuxiliarySharedSecret(context, auxiliary, auxiliary_size);
  open_stream(&streams[0], 0, ssrc, atoi(argv[1]));
  if (wanted > 1) open_stream(&streams[1], 1, ssrc + 1, remote2);
  for (int i = 0; i < wanted; i++) streams[i].echoes = echoes;
  bzrtp_setClientData(context, ssrc, &streams[0]);
  bzrtp_getSelfHelloHash(context, ssrc, hello, sizeof hello);
  printf("hellohash %s\n", hello);
  if (waits) {
    if (!fgets(signalled, sizeof signalled, stdin)) return 0;
    signalled[strcspn(signalled, "\n")] = 0;
    if (bzrtp_setPeerHelloHash(context, ssrc, (uint8_t *)signalled, strlen(signalled))) puts("bad hello hash");
  }
  bzrtp_startChannelEngine(context, ssrc);
  for (;;) {
    struct pollfd polled[3] = { { streams[0].socket, POLLIN, 0 }, { wanted > 1 ? streams[1].socket : -1, POLLIN, 0 }, { 0, POLLIN, 0 } };
    poll(polled, 3, 5);
    for (int i = 0; i < opened; i++) if (polled[i].revents & POLLIN) packet_came(&streams[i]);
    if (polled[2].revents) {
      char line[128];
      if (!fgets(line, sizeof line, stdin)) return 0;
      if (!strncmp(line, "verified", 8)) bzrtp_SASVerified(context), puts("ok");
    }
    for (int i = 0; i < opened; i++) bzrtp_iterate(context, streams[i].ssrc, milliseconds());
    if (streams[0].secure && opened < wanted) {
      opened = 2;
      bzrtp_addChannel(context, streams[1].ssrc);
      bzrtp_setClientData(context, streams[1].ssrc, &streams[1]);
      bzrtp_startChannelEngine(context, streams[1].ssrc);
    }
  }
}
