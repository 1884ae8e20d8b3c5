import { parsePrefix, toHex } from "../../../bytes/index.js";
import type { Host } from "../../../contract/index.js";
import { createVerifier } from "../../../pki/index.js";
import { pkiFailure, type TlsServerOptions } from "../../../protocols/tls/index.js";
import type { TunnelNotice } from "../../../tunnels/index.js";
import { type OpenVpnTunnel, openOpenVpn } from "../../../tunnels/openvpn.js";
import { listenOpenVpn, type OpenVpnListener, type OpenVpnServerOptions } from "../../../tunnels/openvpn-server.js";
import { PrivateFolder } from "../../folder.js";
import { Program } from "../../program.js";
import { type Authority, newAuthority } from "../../stage/authority.js";

export const serverInside = "10.67.0.1";
const serverName = "server.survey.test";
const clientName = "client.survey.test";

/** A server, with what it told. */
export interface ServerEnd extends Disposable {
  readonly server: OpenVpnListener;
  readonly told: string[];
}

/** A client, with what it told. */
export interface ClientEnd extends Disposable {
  readonly tunnel: OpenVpnTunnel;
  readonly told: TunnelNotice[];
}

/** Ends on the loopback, under an authority that was made for this run. */
export class OpenVpnStage {
  readonly host: Host;
  readonly authority: Authority;

  constructor(host: Host, authority = newAuthority(host)) {
    this.host = host;
    this.authority = authority;
  }

  async serve(options: Partial<OpenVpnServerOptions> = {}): Promise<ServerEnd> {
    const told: string[] = [];
    const server = await listenOpenVpn(this.host, {
      tls: await this.tls(),
      local: { address: "127.0.0.1", port: 0 },
      inside: [parsePrefix(`${serverInside}/24`)!],
      on: ({ kind }) => void told.push(kind),
      ...options,
    });
    return { server, told, [Symbol.dispose]: () => server.close() };
  }

  async tls(): Promise<TlsServerOptions> {
    const { crypto } = this.host;
    const verifier = createVerifier({ provider: crypto, profile: "path", anchors: [this.authority.certificate] });
    return {
      identity: await this.authority.identity(serverName),
      verify: ({ certificates, at }) => {
        const verdict = verifier.verify({ chain: certificates, referenceIds: [], purpose: "client", at });
        if (!verdict.trusted) return { trusted: false, failure: pkiFailure(verdict.failure) };
        const { publicKey, chain } = verdict;
        const peer = { kind: "certificate", chain: chain.map(({ raw }) => raw), publicKey } as const;
        return { trusted: true, publicKey, peer };
      },
    };
  }

  /** A client's file for a port; `more` are lines of its own. */
  async file(port: number, more = "", authority = this.authority): Promise<string> {
    const { chain, key } = await this.authority.pem(clientName);
    return `client
dev tun
proto udp
remote 127.0.0.1 ${port}
remote-cert-tls server
<ca>
${authority.trustPem}</ca>
<cert>
${chain}</cert>
<key>
${key}</key>
${more}
`;
  }

  async open({ server }: ServerEnd, more = "", authority = this.authority): Promise<ClientEnd> {
    const told: TunnelNotice[] = [];
    const file = await this.file(server.local.port, more, authority);
    const tunnel = await openOpenVpn(this.host, file, { on: (notice) => told.push(notice) });
    return { tunnel, told, [Symbol.dispose]: () => tunnel.close() };
  }

  /** The client's key in SubjectPublicKeyInfo, as text. */
  async clientKey(): Promise<string> {
    return toHex((await this.authority.identity(clientName)).publicKey.spki);
  }

  /** A static key file, a new one each time. */
  newStaticKey(): string {
    const hex = toHex(this.host.entropy.fill(new Uint8Array(256))).replace(/.{32}/g, "$&\n");
    return `-----BEGIN OpenVPN Static key V1-----\n${hex}-----END OpenVPN Static key V1-----\n`;
  }

  /** openvpn(8) as a client of ours, with a device that is none: nothing of this machine goes there, and no root is needed. */
  async stranger({ server }: ServerEnd, more: string, signal: AbortSignal): Promise<Program & AsyncDisposable> {
    const folder = new PrivateFolder();
    const text = (await this.file(server.local.port, more)).replace("dev tun", "dev null\nnobind\nifconfig-noexec");
    const program = new Program("openvpn", ["--config", folder.file("client.ovpn", text)], signal);
    const end = program[Symbol.asyncDispose].bind(program);
    program[Symbol.asyncDispose] = async () => {
      await end();
      folder[Symbol.dispose]();
    };
    return program;
  }
}
