/*
 * NSS as a DTLS peer that echoes (Debian's libnss3; 1.3 in its final form from 3.90 on).
 *
 * nss-dtls server|client PORT sql:DATABASE [-v 13|12] [-n MESSAGES] [-p] [-s] [-u] [-t SECONDS] [-A] [-G]
 *   -p  an external pre-shared key (1.3)    -s  use_srtp    -u  a KeyUpdate half-way    -A  a client that trusts anyone
 *   -G  X25519 alone, so that the ClientHello is one datagram
 * The database holds the server's certificate as "server" and trusts the authority.
 */
#include <nspr.h>
#include <nss.h>
#include <ssl.h>
#include <sslproto.h>
#include <sslexp.h>
#include <pk11pub.h>
#include <secerr.h>
#include <cert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *w) {
  fprintf(stderr, "FAIL %s: %s (%d)\n", w, PR_ErrorToName(PR_GetError()), PR_GetError());
  exit(1);
}

static SECStatus ok(void *a, PRFileDesc *f, PRBool s, PRBool c) {
  (void)a;
  (void)f;
  (void)s;
  (void)c;
  return SECSuccess;
}

static void hs(PRFileDesc *f, void *a) {
  (void)f;
  (void)a;
}

static char *pw(PK11SlotInfo *s, PRBool r, void *a) {
  (void)s;
  (void)r;
  (void)a;
  return strdup("");
}

int main(int c, char **v) {
  if (c < 4) return 2;
  int srv = !strcmp(v[1], "server"), port = atoi(v[2]), ver = 13, n = 4, psk = 0, srtp = 0, ku = 0, tmo = 20, na = 0, gx = 0, o;
  optind = 4;
  while ((o = getopt(c, v, "v:n:psut:AG")) != -1) switch (o) {
    case 'v': ver = atoi(optarg); break;
    case 'n': n = atoi(optarg); break;
    case 'p': psk = 1; break;
    case 's': srtp = 1; break;
    case 'u': ku = 1; break;
    case 't': tmo = atoi(optarg); break;
    case 'A': na = 1; break;
    case 'G': gx = 1; break;
  }
  alarm(tmo);
  setvbuf(stdout, 0, _IOLBF, 0);
  PK11_SetPasswordFunc(pw);
  if (NSS_Init(v[3]) != SECSuccess) die("NSS_Init");
  NSS_SetDomesticPolicy();
  PRFileDesc *u = PR_OpenUDPSocket(PR_AF_INET);
  PRNetAddr a;
  PR_StringToNetAddr("127.0.0.1", &a);
  a.inet.port = PR_htons(port);
  if (srv) {
    if (PR_Bind(u, &a) != PR_SUCCESS) die("bind");
    PRNetAddr p;
    char b[1];
    PRInt32 r = PR_RecvFrom(u, b, 1, PR_MSG_PEEK, &p, PR_INTERVAL_NO_TIMEOUT);
    (void)r;
    if (PR_Connect(u, &p, PR_INTERVAL_NO_TIMEOUT) != PR_SUCCESS) die("connect back");
  } else if (PR_Connect(u, &a, PR_INTERVAL_NO_TIMEOUT) != PR_SUCCESS) die("connect");
  PRFileDesc *s = DTLS_ImportFD(0, u);
  if (!s) die("DTLS_ImportFD");
  SSLVersionRange vr = { ver == 13 ? SSL_LIBRARY_VERSION_TLS_1_3 : SSL_LIBRARY_VERSION_TLS_1_2, ver == 13 ? SSL_LIBRARY_VERSION_TLS_1_3 : SSL_LIBRARY_VERSION_TLS_1_2 };
  if (SSL_VersionRangeSet(s, &vr) != SECSuccess) die("version range");
  if (srv) SSL_OptionSet(s, SSL_NO_CACHE, PR_TRUE); /* or a DTLS 1.2 server without a session cache set up divides by zero */
  if (gx) {
    SSLNamedGroup g[] = { ssl_grp_ec_curve25519 };
    SSL_NamedGroupConfig(s, g, 1);
  }
  if (srtp) {
    const PRUint16 cs[] = { SRTP_AES128_CM_HMAC_SHA1_80 };
    SSL_SetSRTPCiphers(s, cs, 1);
  }
  if (psk) {
    static unsigned char k[16] = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16};
    SECItem it = { siBuffer, k, 16 };
    PK11SlotInfo *sl = PK11_GetInternalSlot();
    PK11SymKey *key = PK11_ImportSymKey(sl, CKM_HKDF_KEY_GEN, PK11_OriginUnwrap, CKA_DERIVE, &it, 0);
    if (!key) die("import psk");
    if (SSL_AddExternalPsk(s, key, (const PRUint8 *)"sealport", 8, ssl_hash_sha256) != SECSuccess) die("psk");
    SSL_CipherPrefSet(s, TLS_AES_256_GCM_SHA384, PR_FALSE);
  }
  if (srv) {
    {
      CERTCertificate *ct = PK11_FindCertFromNickname("server", 0);
      if (!ct) die("cert");
      SECKEYPrivateKey *k = PK11_FindKeyByAnyCert(ct, 0);
      if (!k) die("key");
      if (SSL_ConfigServerCert(s, ct, k, 0, 0) != SECSuccess) die("ConfigServerCert");
    }
  } else {
    SSL_SetURL(s, "localhost");
    if (na) SSL_AuthCertificateHook(s, ok, 0);
  }
  SSL_HandshakeCallback(s, hs, 0);
  SSL_ResetHandshake(s, srv);
  PRIntervalTime t0 = PR_IntervalNow();
  if (SSL_ForceHandshakeWithTimeout(s, PR_SecondsToInterval(tmo)) != SECSuccess) die("handshake");
  SSLChannelInfo ci;
  SSL_GetChannelInfo(s, &ci, sizeof ci);
  printf("VERSION %04x CIPHER %04x GROUP %d NSS %s %u ms\n", ci.protocolVersion, ci.cipherSuite, ci.keaGroup, NSS_GetVersion(), PR_IntervalToMilliseconds(PR_IntervalNow() - t0));
  unsigned char e[32];
  if (SSL_ExportKeyingMaterial(s, "EXPORTER-sealport", 17, PR_FALSE, 0, 0, e, 32) == SECSuccess) {
    printf("EXPORTER ");
    for (int i = 0; i < 32; i++) printf("%02x", e[i]);
    puts("");
  }
  if (srtp) {
    PRUint16 sc = 0;
    SSL_GetSRTPCipher(s, &sc);
    printf("SRTP %04x\n", sc);
  }
  char b[2048];
  for (int i = 0; i < n; i++) {
    int r;
    if (i == n / 2 && ku) printf("KEYUPDATE %d\n", SSL_KeyUpdate(s, PR_TRUE));
    if (!srv) {
      r = snprintf(b, sizeof b, "message %d from NSS", i);
      if (PR_Send(s, b, r, 0, PR_INTERVAL_NO_TIMEOUT) != r) die("send");
    }
    r = PR_Recv(s, b, sizeof b - 1, 0, PR_SecondsToInterval(10));
    if (r < 0) die("recv");
    if (!r) {
      puts("CLOSED by peer");
      break;
    }
    b[r] = 0;
    printf("RX %d: %s\n", i, b);
    if (srv) PR_Send(s, b, r, 0, PR_INTERVAL_NO_TIMEOUT);
  }
  PR_Close(s);
  puts("DONE");
  return 0;
}
