import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { tunnel } from "sealport";
import { connect, listen, type TcpcryptSink } from "sealport/tcpcrypt";

// TCP that encrypts itself needs a TCP of ours: here inside a WireGuard tunnel, whose two ends this program is.
const [here, there] = [newKeys(), newKeys()];
await using office = await tunnel(`[Interface]\nPrivateKey = ${there.private}\nAddress = 10.9.0.2/32
  [Peer]\nPublicKey = ${here.public}\nAllowedIPs = 10.9.0.1/32`);
await using home = await tunnel(`[Interface]\nPrivateKey = ${here.private}\nAddress = 10.9.0.1/32
  [Peer]\nPublicKey = ${there.public}\nAllowedIPs = 10.9.0.2/32\nEndpoint = 127.0.0.1:${office.local.port}`);

const silent: TcpcryptSink = { bytes() {}, ended() {}, drained() {}, closed() {} };
const address = { address: "10.9.0.2", port: 7_000 };
const echo = await listen(office.host, address, {}, (session) => ({
  ...silent,
  bytes: (bytes) => void session.write(bytes),
  ended: () => session.finish(),
}));

const heard = new PassThrough();
const session = connect(home.host, address, {}, { ...silent, bytes: (bytes) => heard.write(bytes) });

// No certificate and no key of anybody's: whether both ends have the same session ID is for the application to find out.
const outcome = await session.confirmed;
if (outcome.encrypted) console.log(outcome.tep, outcome.cipher, outcome.sessionId.length);
session.write(new TextEncoder().encode("hello, whoever you are"));
session.finish();
console.log(String((await once(heard, "data"))[0]));
await echo.close();

function newKeys(): { readonly private: string; readonly public: string } {
  const { d, x } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (text: string | undefined) => Buffer.from(text ?? "", "base64url").toString("base64");
  return { private: base64(d), public: base64(x) };
}
