import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { tunnel } from "sealport";
import { connect, listen, type TcpcryptSink } from "sealport/tcpcrypt";

// TCP that encrypts itself needs a TCP of ours: here inside a WireGuard tunnel, whose two ends this program is.
const [here, there] = [newKeys(), newKeys()];
const fileOf = (keys: Keys, peer: Keys, own: number, endpoint = "") => `[Interface]
  PrivateKey = ${keys.private}\nAddress = 10.9.0.${own}/32
  [Peer]\nPublicKey = ${peer.public}\nAllowedIPs = 10.9.0.0/24\n${endpoint}`;
await using office = await tunnel(fileOf(there, here, 2), { name: "office" });
const endpoint = `Endpoint = 127.0.0.1:${office.local.port}`;
await using home = await tunnel(fileOf(here, there, 1, endpoint), { name: "home" });

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

interface Keys {
  readonly private: string;
  readonly public: string;
}

function newKeys(): Keys {
  const { d, x } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (text: string | undefined) => Buffer.from(text ?? "", "base64url").toString("base64");
  return { private: base64(d), public: base64(x) };
}
