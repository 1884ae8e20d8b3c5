/*
 * libsrtp as a peer (Debian's libsrtp2-dev).
 *
 * srtp-peer PROFILE KEY[:MKI][,KEY:MKI…] [EXTENSION,…]
 *   Both directions under the same master keys, in hex: the key, then the salt. Header extension elements with the
 *   identifiers named are encrypted (RFC 6904). Commands on standard input, one a line, with a packet in hex; every one is
 *   answered by a line: the packet that came of it, or "error N".
 *     rtp N HEX, rtcp N HEX          protect, with the N-th key
 *     srtp HEX, srtcp HEX            unprotect
 *     roc SSRC N                     tells the receiver a source's rollover counter
 * srtp-peer bench PROFILE SECONDS SIZE
 *   Packets a second of srtp_protect and srtp_unprotect, one after the other over a store of packets.
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM 2048
#define KEYS_MAX 16

typedef void (*set_policy)(srtp_crypto_policy_t *);

static void null_32(srtp_crypto_policy_t *policy) {
  srtp_crypto_policy_set_null_cipher_hmac_sha1_80(policy);
  policy->auth_tag_len = 4;
}

static const struct {
  const char *name;
  set_policy rtp, rtcp;
} profiles[] = {
  { "AEAD_AES_256_GCM", srtp_crypto_policy_set_aes_gcm_256_16_auth, srtp_crypto_policy_set_aes_gcm_256_16_auth },
  { "AEAD_AES_128_GCM", srtp_crypto_policy_set_aes_gcm_128_16_auth, srtp_crypto_policy_set_aes_gcm_128_16_auth },
  { "AES_256_CM_HMAC_SHA1_80", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
  { "AES_256_CM_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
  { "AES_192_CM_HMAC_SHA1_80", srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80 },
  { "AES_192_CM_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80 },
  { "AES_CM_128_HMAC_SHA1_80", srtp_crypto_policy_set_rtp_default, srtp_crypto_policy_set_rtp_default },
  { "AES_CM_128_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, srtp_crypto_policy_set_rtp_default },
  { "NULL_HMAC_SHA1_80", srtp_crypto_policy_set_null_cipher_hmac_sha1_80, srtp_crypto_policy_set_null_cipher_hmac_sha1_80 },
  { "NULL_HMAC_SHA1_32", null_32, srtp_crypto_policy_set_null_cipher_hmac_sha1_80 },
};

static int policy_of(srtp_policy_t *policy, const char *name) {
  memset(policy, 0, sizeof *policy);
  for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
    if (strcmp(profiles[i].name, name)) continue;
    profiles[i].rtp(&policy->rtp);
    profiles[i].rtcp(&policy->rtcp);
    policy->window_size = 1024;
    return 1;
  }
  return 0;
}

static int from_hex(const char *text, unsigned char *into, int max) {
  int size = 0;
  unsigned byte;
  while (size < max && sscanf(text + 2 * size, "%2x", &byte) == 1) into[size++] = byte;
  return size;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int bench(const char *name, double limit, int size) {
  enum { count = 2000 };
  static unsigned char key[64], store[count][ROOM] __attribute__((aligned(16)));
  static int sizes[count];
  srtp_policy_t policy;
  srtp_t out, in;
  double protecting = 0, unprotecting = 0;
  long packets = 0, errors = 0;
  unsigned sequence = 0;
  if (!policy_of(&policy, name)) return 2;
  for (int i = 0; i < 64; i++) key[i] = i * 5 + 1;
  policy.key = key;
  policy.ssrc.type = ssrc_any_outbound;
  srtp_create(&out, &policy);
  policy.ssrc.type = ssrc_any_inbound;
  srtp_create(&in, &policy);
  while (protecting + unprotecting < limit) {
    for (int i = 0; i < count; i++, sequence++) {
      unsigned char *packet = store[i];
      memset(packet, 0, 12);
      packet[0] = 0x80;
      packet[1] = 96;
      packet[2] = sequence >> 8;
      packet[3] = sequence;
      packet[11] = 1;
      sizes[i] = size;
    }
    double start = seconds();
    for (int i = 0; i < count; i++) errors += srtp_protect(out, store[i], &sizes[i]) != srtp_err_status_ok;
    double middle = seconds();
    for (int i = 0; i < count; i++) errors += srtp_unprotect(in, store[i], &sizes[i]) != srtp_err_status_ok;
    protecting += middle - start;
    unprotecting += seconds() - middle;
    packets += count;
  }
  printf("{\"protect\":%.0f,\"unprotect\":%.0f,\"errors\":%ld}\n", packets / protecting, packets / unprotecting, errors);
  return errors != 0;
}

int main(int argc, char **argv) {
  static unsigned char keys[KEYS_MAX][64], mkis[KEYS_MAX][128], packet[ROOM] __attribute__((aligned(16)));
  static srtp_master_key_t masters[KEYS_MAX];
  srtp_master_key_t *list[KEYS_MAX];
  static char line[2 * ROOM + 64], hex[2 * ROOM + 1];
  int identifiers[16], extensions = 0, count = 0, with_mki = 0;
  srtp_policy_t policy;
  srtp_t out, in;
  setvbuf(stdout, 0, _IOLBF, 0);
  srtp_init();
  if (argc == 5 && !strcmp(argv[1], "bench")) return bench(argv[2], atof(argv[3]), atoi(argv[4]));
  if (argc < 3 || !policy_of(&policy, argv[1])) return 2;
  for (char *each = strtok(argv[2], ","); each && count < KEYS_MAX; each = strtok(0, ","), count++) {
    char *mki = strchr(each, ':');
    from_hex(each, keys[count], 64);
    masters[count].key = keys[count];
    masters[count].mki_id = mkis[count];
    masters[count].mki_size = mki ? from_hex(mki + 1, mkis[count], 128) : 0;
    with_mki |= mki != 0;
    list[count] = &masters[count];
  }
  policy.keys = list;
  policy.num_master_keys = count;
  if (argc > 3) for (char *each = strtok(argv[3], ","); each && extensions < 16; each = strtok(0, ",")) identifiers[extensions++] = atoi(each);
  if (extensions) {
    policy.enc_xtn_hdr = identifiers;
    policy.enc_xtn_hdr_count = extensions;
  }
  policy.ssrc.type = ssrc_any_outbound;
  if (srtp_create(&out, &policy)) return 1;
  policy.ssrc.type = ssrc_any_inbound;
  if (srtp_create(&in, &policy)) return 1;
  puts("ready");
  while (fgets(line, sizeof line, stdin)) {
    unsigned index = 0, ssrc;
    int size, status;
    if (sscanf(line, "roc %x %u", &ssrc, &index) == 2) {
      printf(srtp_set_stream_roc(in, ssrc, index) ? "error\n" : "ok\n");
      continue;
    }
    if (sscanf(line, "rtp %u %s", &index, hex) == 2) {
      size = from_hex(hex, packet, ROOM - 256);
      status = srtp_protect_mki(out, packet, &size, with_mki, index);
    } else if (sscanf(line, "rtcp %u %s", &index, hex) == 2) {
      size = from_hex(hex, packet, ROOM - 256);
      status = srtp_protect_rtcp_mki(out, packet, &size, with_mki, index);
    } else if (sscanf(line, "srtp %s", hex) == 1) {
      size = from_hex(hex, packet, ROOM);
      status = srtp_unprotect_mki(in, packet, &size, with_mki);
    } else if (sscanf(line, "srtcp %s", hex) == 1) {
      size = from_hex(hex, packet, ROOM);
      status = srtp_unprotect_rtcp_mki(in, packet, &size, with_mki);
    } else return 2;
    if (status) printf("error %d\n", status);
    else {
      for (int i = 0; i < size; i++) printf("%02x", packet[i]);
      putchar('\n');
    }
  }
  return 0;
}
