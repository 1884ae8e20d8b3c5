import { equal, formatAddress, fromUtf8, parseAddress, toHex, utf8 } from "../../bytes/index.js";
import { type Certificate, matches, type ReferenceId } from "../../pki/index.js";
import { failure } from "./failure.js";
import { IdType } from "./wire/numbers.js";
import type { Identification } from "./wire/payloads.js";

/** Who an end is: type and bytes of an Identification payload (RFC 7296 §3.5). */
export type IkeId = Identification;

const textTypes: Readonly<Record<string, number>> = {
  fqdn: IdType.ID_FQDN,
  dns: IdType.ID_FQDN,
  email: IdType.ID_RFC822_ADDR,
  rfc822: IdType.ID_RFC822_ADDR,
  userfqdn: IdType.ID_RFC822_ADDR,
  keyid: IdType.ID_KEY_ID,
};

/**
 * Reads an identity as swanctl.conf(5) has it: an address, `user@domain`, a name, or a type and a value: `fqdn:`, `email:`, `keyid:`. `@name`
 * is a name. Throws `misuse/bad-configuration` for an empty one. For a certificate's subject take `subjectId`.
 */
export function ikeId(text: string): IkeId {
  const [, word, value] = /^([a-z0-9]+):(.+)$/i.exec(text) ?? [];
  const type = textTypes[word?.toLowerCase() ?? ""];
  if (type !== undefined) return { type, data: utf8(value!) };
  const address = parseAddress(text);
  if (address !== undefined) {
    return { type: address.length === 4 ? IdType.ID_IPV4_ADDR : IdType.ID_IPV6_ADDR, data: address };
  }
  const name = text.startsWith("@") ? text.slice(1) : text;
  if (name === "") throw failure("bad-configuration", "an empty identity", { at: "id" });
  return { type: name.includes("@") ? IdType.ID_RFC822_ADDR : IdType.ID_FQDN, data: utf8(name) };
}

/** The subject of a certificate as an identity. */
export const subjectId = (certificate: Certificate): IkeId => ({
  type: IdType.ID_DER_ASN1_DN,
  data: certificate.subject.raw,
});

/** For people. */
export function idText({ type, data }: IkeId): string {
  switch (type) {
    case IdType.ID_IPV4_ADDR:
    case IdType.ID_IPV6_ADDR:
      return data.length === 4 || data.length === 16 ? formatAddress(data) : toHex(data);
    case IdType.ID_FQDN:
    case IdType.ID_RFC822_ADDR:
      return printable(data) ?? toHex(data);
    default:
      return `${type}:${printable(data) ?? toHex(data)}`;
  }
}

function printable(data: Uint8Array): string | undefined {
  const text = fromUtf8(data);
  return text !== undefined && /^[\x20-\x7e]*$/.test(text) ? text : undefined;
}

/** Names and mailboxes' hosts are the same in either case; everything else to the byte. */
export function sameId(a: IkeId, b: IkeId): boolean {
  if (a.type !== b.type) return false;
  if (equal(a.data, b.data)) return true;
  return a.type === IdType.ID_FQDN && fromUtf8(a.data)?.toLowerCase() === fromUtf8(b.data)?.toLowerCase();
}

/** Does the certificate speak for this identity (RFC 4945 §3.1)? A name in full, no wildcard; a distinguished name to the byte. */
export function certificateIs(certificate: Certificate, id: IkeId): boolean {
  if (id.type === IdType.ID_DER_ASN1_DN) return equal(certificate.subject.raw, id.data);
  const reference = referenceOf(id);
  const names = (certificate.extensions.subjectAltName ?? []).filter(
    (name) => !("text" in name && name.text.startsWith("*")),
  );
  return reference !== undefined && matches(reference, names);
}

function referenceOf({ type, data }: IkeId): ReferenceId | undefined {
  const text = fromUtf8(data);
  switch (type) {
    case IdType.ID_IPV4_ADDR:
    case IdType.ID_IPV6_ADDR:
      return { kind: "ip", value: data };
    case IdType.ID_FQDN:
      // A name that is an address in text is no name (RFC 4945 §3.1.2).
      return text === undefined || parseAddress(text) !== undefined ? undefined : { kind: "dns", value: text };
    case IdType.ID_RFC822_ADDR:
      return text === undefined ? undefined : { kind: "email", value: text };
    default:
      return undefined;
  }
}
