import { parseAddress } from "../../../bytes/index.js";
import type { Secret } from "../../../contract/index.js";
import type { Lifetime } from "../../esp/index.js";
import { type IkeId, ikeId, sameId } from "../identity.js";
import type { IkeChild, IkeConnection } from "../interfaces.js";
import { defaultEspProposals, defaultIkeProposals, espProposal, ikeProposal, type Offer } from "../proposals.js";
import { Entries, type SwanctlWarning, secretOf, selectorText, wrong } from "./entries.js";
import { parseSections, type Section } from "./sections.js";

/** Reads what the file names beside itself. Undefined: there is no such file, or none to be read. */
export type ReadNamed = (name: string) => string | undefined;

/** How an end proves who it is, with what the file says for it. */
export type FileAuthentication =
  | { readonly kind: "psk"; readonly secret: Secret }
  /** PEM texts: the chain of certificates, and the keys of which one is its. */
  | { readonly kind: "certificate"; readonly certificates: string; readonly keys: readonly FileKey[] }
  | { readonly kind: "eap"; readonly id: string | undefined; readonly secret: Secret | undefined };

export interface FileKey {
  readonly text: string;
  readonly passphrase: Secret | undefined;
}

export type FileRemote =
  | { readonly kind: "psk"; readonly secret: Secret }
  /** PEM texts: authorities, or the peer's own certificate. */
  | { readonly kind: "certificate"; readonly authorities: readonly string[]; readonly certificates: readonly string[] };

/** What a swanctl.conf says of one connection, with names not looked up and nothing unlocked yet. */
export interface SwanctlFile {
  readonly name: string;
  readonly remote: { readonly host: string; readonly port: number };
  readonly localAddress: string | undefined;
  readonly localPort: number;
  readonly localId: IkeId | undefined;
  readonly remoteId: IkeId | undefined;
  readonly local: FileAuthentication;
  readonly authenticates: FileRemote;
  /** The rest of it, as IKE takes it. */
  readonly settings: Pick<
    IkeConnection,
    "proposals" | "requestAddresses" | "fragmentation" | "mobike" | "deadPeerMs" | "rekeySeconds" | "ppk"
  >;
  readonly children: readonly IkeChild[];
  readonly warnings: readonly SwanctlWarning[];
}

/** The port that IKE shares with ESP (RFC 3948). */
const sharedPort = 4_500;

/**
 * Reads strongSwan's swanctl.conf(5): its only connection, or the one of a name, as its initiator. Certificates and keys are
 * read by path. Throws `misuse/bad-configuration` with the line: for what is unknown, too, since a mistake in such a file is
 * not to be passed over; what is known and has no effect here is a warning.
 */
export function parseSwanctl(
  text: string,
  {
    read,
    connection: wanted,
  }: { readonly read?: ReadNamed | undefined; readonly connection?: string | undefined } = {},
): SwanctlFile {
  const warnings: SwanctlWarning[] = [];
  const root = new Entries(parseSections(text), warnings);
  const [all] = root.sections("connections");
  const secrets = root.sections("secrets");
  const authorities = root.sections("authorities");
  // Addresses that a responder gives away.
  root.sections("pools");
  root.end([]);
  const connections = [...(all?.sections.values() ?? [])];
  const found = wanted === undefined ? connections[0] : connections.find(({ name }) => name === wanted);
  if (found === undefined)
    throw wrong(all?.line ?? 1, wanted === undefined ? "no connection" : `no connection ${wanted}`);
  if (wanted === undefined && connections.length > 1) {
    const names = connections.map(({ name }) => name).join(", ");
    throw wrong(connections[1]!.line, "more than one connection", `name one of ${names}`);
  }
  return new ConnectionReader(found, warnings, read, secrets[0], authorities[0]).read();
}

/** Known to swanctl.conf(5), and without effect on one connection inside a process. */
const idleOfConnection = [
  ...["aggressive", "pull", "dscp", "send_certreq", "send_cert", "keyingtries", "unique", "reauth_time", "over_time"],
  ...["rand_time", "childless", "encap", "pools", "if_id_in", "if_id_out", "dpd_timeout", "mediation", "ocsp"],
];
const idleOfChild = [
  ...["start_action", "close_action", "dpd_action", "rand_time", "rand_bytes", "rand_packets", "priority", "reqid"],
  ...["policies", "policies_fwd_out", "hw_offload", "copy_df", "copy_ecn", "copy_dscp", "replay_window", "inactivity"],
  ...[
    "mark_in",
    "mark_out",
    "if_id_in",
    "if_id_out",
    "tfc_padding",
    "sha256_96",
    "ipcomp",
    "interface",
    "ah_proposals",
  ],
];
const idleOfEnd = ["round", "groups", "cert_policy", "revocation", "aaa_id", "xauth_id", "eap_id", "ca_id", "cert"];

class ConnectionReader {
  readonly #entries: Entries;
  readonly #warnings: SwanctlWarning[];
  readonly #readNamed: ReadNamed | undefined;
  readonly #secrets: Section | undefined;
  readonly #authorities: Section | undefined;

  constructor(
    section: Section,
    warnings: SwanctlWarning[],
    read: ReadNamed | undefined,
    secrets: Section | undefined,
    authorities: Section | undefined,
  ) {
    this.#entries = new Entries(section, warnings);
    this.#warnings = warnings;
    this.#readNamed = read;
    this.#secrets = secrets;
    this.#authorities = authorities;
  }

  read(): SwanctlFile {
    const entries = this.#entries;
    const { section } = entries;
    const version = entries.take("version");
    if (version !== undefined && version.value !== "2" && version.value !== "0") {
      throw wrong(version.line, `version = ${version.value}: only IKEv2 is spoken`);
    }
    const localEnd = this.#end("local");
    const remoteEnd = this.#end("remote");
    const localIdText = localEnd?.take("id");
    const remoteIdText = remoteEnd?.take("id");
    const localId = idOf(localIdText);
    const remoteId = idOf(remoteIdText);
    const local = this.#local(localEnd, localId, remoteId);
    const authenticates = this.#remote(remoteEnd, localId, remoteId);
    localEnd?.end(idleOfEnd);
    remoteEnd?.end(idleOfEnd);
    const { rekey_time, ...times } = { rekey_time: entries.seconds("rekey_time"), dpd: entries.seconds("dpd_delay") };
    const file: SwanctlFile = {
      name: section.name,
      remote: this.#where(),
      localAddress: this.#localAddress(),
      localPort: entries.count("local_port", 65_535) ?? 0,
      localId,
      remoteId,
      local,
      authenticates,
      settings: {
        ...proposalsOf(entries, "proposals", ikeProposal, defaultIkeProposals),
        ...this.#addresses(),
        ...this.#fragmentation(),
        ...definedOf({ mobike: entries.flag("mobike"), rekeySeconds: rekey_time }),
        ...(times.dpd !== undefined && times.dpd > 0 && { deadPeerMs: 1_000 * times.dpd }),
        ...this.#postQuantum(),
      },
      children: this.#children(),
      warnings: this.#warnings,
    };
    entries.end(idleOfConnection);
    return file;
  }

  /** The only round of authentication of an end. */
  #end(prefix: "local" | "remote"): Entries | undefined {
    const [first, second] = this.#entries.sections(prefix);
    if (second !== undefined) throw wrong(second.line, "more than one round of authentication (RFC 4739)");
    return first && new Entries(first, this.#warnings);
  }

  #where(): SwanctlFile["remote"] {
    const entries = this.#entries;
    const hosts = entries.list("remote_addrs").filter((each) => !each.startsWith("%"));
    const { line } = entries.section;
    if (hosts.length === 0) throw wrong(line, "remote_addrs names no peer to connect to");
    if (hosts.length > 1) entries.warn(line, `of remote_addrs only ${hosts[0]} is connected to`);
    const port = entries.count("remote_port", 65_535) ?? sharedPort;
    if (port === 500) entries.warn(line, `port 500 carries no ESP: ${sharedPort} is used (RFC 7296 §2.23)`);
    return { host: hosts[0]!, port: port === 500 ? sharedPort : port };
  }

  #localAddress(): string | undefined {
    return this.#entries.list("local_addrs").find((each) => parseAddress(each) !== undefined);
  }

  #addresses(): Pick<IkeConnection, "requestAddresses"> {
    const wanted = this.#entries.list("vips");
    if (wanted.length === 0) return {};
    const { line } = this.#entries.section;
    return {
      requestAddresses: wanted.map((each) => {
        const address = parseAddress(each);
        if (address === undefined) throw wrong(line, `vips: ${each} is no address`);
        if (address.some((byte) => byte !== 0)) this.#entries.warn(line, `vips: ${each} cannot be asked for, only any`);
        return address.length === 4 ? 4 : 6;
      }),
    };
  }

  #fragmentation(): Pick<IkeConnection, "fragmentation"> {
    const setting = this.#entries.take("fragmentation");
    if (setting === undefined) return {};
    if (setting.value === "force" || setting.value === "accept") return { fragmentation: true };
    return { fragmentation: this.#entries.flag("fragmentation")! };
  }

  #postQuantum(): Pick<IkeConnection, "ppk"> {
    const id = this.#entries.text("ppk_id");
    const isRequired = this.#entries.flag("ppk_required") ?? false;
    if (id === undefined) return {};
    const secret = this.#secretFor("ppk", [ikeId(id)]);
    if (secret === undefined) throw wrong(this.#entries.section.line, `there is no secret of ppk_id = ${id}`);
    return { ppk: { id, secret, isRequired } };
  }

  #local(end: Entries | undefined, own: IkeId | undefined, peer: IkeId | undefined): FileAuthentication {
    const auth = end?.take("auth");
    const line = auth?.line ?? this.#entries.section.line;
    const certificates = end?.list("certs") ?? [];
    switch (kindOf(auth?.value)) {
      case "psk":
        return { kind: "psk", secret: this.#preShared(line, own, peer) };
      case "certificate": {
        if (certificates.length === 0) throw wrong(line, "certs names no certificate of ours");
        const texts = certificates.map((name) => this.#file(name, "x509", line));
        return { kind: "certificate", certificates: texts.join("\n"), keys: this.#keys(certificates, line) };
      }
      case "eap": {
        const id = end?.text("eap_id");
        const secret = this.#secretFor("eap", [id === undefined ? own : ikeId(id)]);
        return { kind: "eap", id, secret };
      }
      default:
        throw wrong(line, `auth = ${auth?.value} is not known`);
    }
  }

  #remote(end: Entries | undefined, own: IkeId | undefined, peer: IkeId | undefined): FileRemote {
    const auth = end?.take("auth");
    const { line } = end?.section ?? this.#entries.section;
    const pinned = (end?.list("certs") ?? []).map((name) => this.#file(name, "x509", line));
    const authorities = (end?.list("cacerts") ?? []).map((name) => this.#file(name, "x509ca", line));
    const kind = kindOf(auth?.value);
    if (kind === "psk") return { kind, secret: this.#preShared(line, own, peer) };
    if (kind !== "certificate") throw wrong(auth?.line ?? line, `auth = ${auth?.value} is not for a responder`);
    for (const section of this.#authorities?.sections.values() ?? []) {
      const entries = new Entries(section, this.#warnings);
      const name = entries.text("cacert") ?? entries.text("file");
      if (name !== undefined) authorities.push(this.#file(name, "x509ca", section.line));
      entries.end(["crl_uris", "ocsp_uris", "cert_uri_base", "handle", "slot", "module", "file"]);
    }
    if (pinned.length + authorities.length === 0) {
      const hint = "name cacerts in the remote section, or an authority with its cacert";
      throw wrong(line, "the peer's certificate is trusted by nobody", hint);
    }
    return { kind, authorities, certificates: pinned };
  }

  /** A file by path, as it is or in the folder where swanctl keeps its kind. */
  #file(name: string, folder: string, line: number): string {
    const text = this.#readNamed?.(name) ?? this.#readNamed?.(`${folder}/${name}`);
    if (text === undefined) throw wrong(line, `${name} cannot be read`);
    if (!text.includes("-----BEGIN ")) throw wrong(line, `${name} is not in PEM`);
    return text;
  }

  /** The keys that the secrets name; without any, what lies beside the certificate under the same name. */
  #keys(certificates: readonly string[], line: number): readonly FileKey[] {
    const named = ["private", "rsa", "ecdsa", "pkcs8"].flatMap((prefix) => this.#secretsOf(prefix));
    if (named.length === 0) {
      const name = certificates[0]!.replace(/\.[^.]*$/, ".key");
      return [{ text: this.#file(name, "private", line), passphrase: undefined }];
    }
    return named.map((entries) => {
      const file = entries.text("file");
      if (file === undefined) throw wrong(entries.section.line, "a private key without a file");
      const secret = entries.take("secret");
      const folder = entries.section.name.replace(/[-0-9].*$/, "");
      return { text: this.#file(file, folder, entries.section.line), passphrase: secret && secretOf(secret) };
    });
  }

  #preShared(line: number, own: IkeId | undefined, peer: IkeId | undefined): Secret {
    const secret = this.#secretFor("ike", [own, peer]);
    if (secret === undefined) throw wrong(line, "there is no ike secret for these identities");
    return secret;
  }

  #secretsOf(prefix: string): readonly Entries[] {
    const sections = [...(this.#secrets?.sections.values() ?? [])];
    return sections
      .filter(({ name }) => new RegExp(`^${prefix}([-_0-9].*)?$`).test(name))
      .map((section) => new Entries(section, this.#warnings));
  }

  /** The secret whose identities fit best: more of ours before fewer, those that name nobody last. */
  #secretFor(prefix: string, ids: readonly (IkeId | undefined)[]): Secret | undefined {
    let best: { readonly score: number; readonly secret: Secret } | undefined;
    for (const entries of this.#secretsOf(prefix)) {
      const owners = [...entries.section.settings].flatMap(([key, { value }]) =>
        /^id/.test(key) ? [ikeId(value)] : [],
      );
      const score = ids.filter((id) => id !== undefined && owners.some((owner) => sameId(owner, id))).length;
      if (owners.length > 0 && score === 0) continue;
      const setting = entries.take("secret");
      if (setting === undefined) throw wrong(entries.section.line, `${entries.section.name} holds no secret`);
      if (best === undefined || score > best.score) best = { score, secret: secretOf(setting) };
    }
    return best?.secret;
  }

  #children(): readonly IkeChild[] {
    const [all] = this.#entries.sections("children");
    const children = [...(all?.sections.values() ?? [])].map((section) =>
      childOf(new Entries(section, this.#warnings)),
    );
    if (children.length === 0) throw wrong(this.#entries.section.line, "the connection has no children");
    return children;
  }
}

function childOf(entries: Entries): IkeChild {
  const { name, line } = entries.section;
  const selectors = (key: string) => {
    const texts = entries.list(key);
    return (texts.length === 0 ? ["dynamic"] : texts).map((text) => selectorText(text, line));
  };
  const mode = entries.take("mode");
  if (mode !== undefined && mode.value !== "tunnel" && mode.value !== "transport") {
    throw wrong(mode.line, `mode = ${mode.value} is not made here`);
  }
  const child: IkeChild = {
    name,
    ...proposalsOf(entries, "esp_proposals", espProposal, defaultEspProposals),
    local: selectors("local_ts"),
    remote: selectors("remote_ts"),
    mode: mode?.value === "transport" ? "transport" : "tunnel",
    starts: true,
    lifetime: lifetimeOf(entries),
  };
  entries.end(idleOfChild);
  return child;
}

/** swanctl.conf(5): keys are renewed after an hour, and end a tenth of the time later. */
function lifetimeOf(entries: Entries): Lifetime {
  const seconds = entries.seconds("rekey_time") ?? 3_600;
  const soft = {
    ...(seconds > 0 && { seconds }),
    ...definedOf({ bytes: nonZero(entries.count("rekey_bytes")), packets: nonZero(entries.count("rekey_packets")) }),
  };
  const ends = entries.seconds("life_time") ?? Math.ceil(1.1 * seconds);
  const hard = {
    ...(ends > 0 && { seconds: ends }),
    ...definedOf({ bytes: nonZero(entries.count("life_bytes")), packets: nonZero(entries.count("life_packets")) }),
  };
  return { soft, hard };
}

const nonZero = (count: number | undefined): number | undefined => (count === 0 ? undefined : count);

/** swanctl.conf(5) spells methods with their constraints behind: `pubkey-sha256`, `eap-mschapv2`. Without one, keys are meant. */
function kindOf(auth = "pubkey"): "psk" | "certificate" | "eap" | undefined {
  if (auth === "psk") return "psk";
  if (/^(pubkey|rsa|ecdsa|ed25519|ed448|ike:)/.test(auth)) return "certificate";
  return /^eap(-|$)/.test(auth) ? "eap" : undefined;
}

const idOf = (setting: { readonly value: string } | undefined): IkeId | undefined =>
  setting === undefined || setting.value === "%any" ? undefined : ikeId(setting.value);

function proposalsOf(
  entries: Entries,
  key: string,
  parse: (text: string) => Offer,
  defaults: readonly Offer[],
): { readonly proposals?: readonly Offer[] } {
  const texts = entries.list(key);
  if (texts.length === 0) return {};
  return { proposals: texts.flatMap((text) => (text === "default" ? defaults : [parse(text)])) };
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

const definedOf = <T extends object>(all: T): Defined<T> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Defined<T>;
