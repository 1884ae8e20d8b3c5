import { createHash } from "node:crypto";
import {
  extension,
  makeOcspResponse,
  makeRevocationList,
  type OcspResponseOptions,
  type RevocationListOptions,
} from "../../../src/pki/make/index.js";
import { ext } from "../../../src/pki/oids.js";
import { provider } from "../fixtures.js";
import {
  at,
  type Bend,
  bad,
  type Case,
  chainOf,
  day,
  differs,
  type Expected,
  type Forge,
  good,
  type Made,
  raw,
} from "./builder.js";

const period = { thisUpdate: at - day, nextUpdate: at + day };
const listOf = (issuer: Made, options: Partial<RevocationListOptions> = {}): Uint8Array =>
  makeRevocationList({ issuer, ...period, ...options });
const stranger = { serial: Uint8Array.of(0x44, 0x44), at: at - 2 * day };

interface Listed {
  readonly list?: (root: Made, leaf: Made) => Partial<RevocationListOptions>;
  readonly leaf?: Bend;
  readonly root?: Bend;
}

/** A root, an end entity and one list by the root. */
function listed(name: string, expect: Case["expect"], { list, leaf: leafBend, root: rootBend }: Listed = {}): Case {
  return {
    name: `list: ${name}`,
    expect,
    make: (f: Forge) => {
      const root = f.root(rootBend);
      const leaf = f.leaf(root, leafBend);
      return { ...chainOf(root, leaf), options: { crls: [listOf(root, list?.(root, leaf))] } };
    },
  };
}

const unknown = { oid: "1.3.6.1.4.1.99999.1", critical: true, value: new Uint8Array() };
const revoke = (leaf: Made, more: object = {}) => ({
  revoked: [{ serial: leaf.certificate.serial, at: at - day, ...more }],
});
const partition = "http://crl.example/1.crl";
const points = (...names: string[]): Bend => ({
  extensions: [extension.cRLDistributionPoints([{ names: names.map((uri) => ({ uri })) }])],
});
const scope = (of: Parameters<typeof extension.issuingDistributionPoint>[0]) => () => ({
  extensions: [extension.issuingDistributionPoint(of)],
});

function stapled(
  name: string,
  expect: Expected,
  options: (root: Made, leaf: Made, f: Forge) => Partial<OcspResponseOptions>,
  leafBend: Bend = {},
): Case {
  return {
    name: `staple: ${name}`,
    expect,
    make: (f: Forge) => {
      const root = f.root();
      const leaf = f.leaf(root, leafBend);
      const response = makeOcspResponse({
        provider,
        issuer: root.certificate,
        responder: root,
        serial: leaf.certificate.serial,
        producedAt: at - day,
        ...period,
        ...options(root, leaf, f),
      });
      return { ...chainOf(root, leaf), ask: { stapledOcsp: response } };
    },
  };
}

const mustStaple: Bend = { extensions: [extension.tlsFeature([5])] };
const responderOf = (root: Made, f: Forge, bend: Bend = {}): Made =>
  f.leaf(root, {
    subject: "CN=Responder",
    san: [],
    purposes: ["ocspSigning"],
    extensions: [extension.ocspNoCheck()],
    ...bend,
  });
const pin = (made: Made): string => createHash("sha256").update(made.certificate.spki).digest("base64");

/** RFC 5280 §6.3, RFC 6960, RFC 7633; and pins. */
export const revocation: readonly Case[] = [
  listed("empty", "accepted"),
  listed("of others", "accepted", { list: () => ({ revoked: [stranger] }) }),
  listed("with ten thousand others", "accepted", {
    list: () => ({
      revoked: Array.from({ length: 10_000 }, (_, i) => ({
        serial: Uint8Array.of(0x60, i >> 8, i & 0xff),
        at: at - day,
      })),
    }),
  }),
  listed("with the certificate", "revoked", { list: (_, leaf) => revoke(leaf) }),
  listed("with the certificate, on hold", "revoked", { list: (_, leaf) => revoke(leaf, { reason: 6 }) }),
  listed("with the certificate, revoked in the future", "revoked", {
    list: (_, leaf) => revoke(leaf, { at: at + day }),
  }),
  listed("with the certificate, revoked before it was issued", "revoked", {
    list: (_, leaf) => revoke(leaf, { at: 0 }),
  }),
  listed("with the certificate and an unknown extension", "revoked", {
    list: (_, leaf) => revoke(leaf, { extensions: [{ ...unknown, critical: false }] }),
  }),
  listed("with the certificate and an unknown critical extension", "revocation-unknown", {
    list: (_, leaf) => revoke(leaf, { extensions: [unknown] }),
  }),
  listed("with somebody twice", "revocation-unknown", { list: () => ({ revoked: [stranger, stranger] }) }),
  listed("from the future", "revocation-unknown", { list: () => ({ thisUpdate: at + 1000, nextUpdate: at + day }) }),
  listed("out of date", "revocation-unknown", { list: () => ({ thisUpdate: at - 2 * day, nextUpdate: at - 1000 }) }),
  listed("without a number", "revocation-unknown", { list: () => ({ without: [ext.cRLNumber] }) }),
  listed("with a critical number", "revocation-unknown", {
    list: () => ({ extensions: [raw(extension.cRLNumber(1), { critical: true })] }),
  }),
  listed("with an unknown critical extension", "revocation-unknown", { list: () => ({ extensions: [unknown] }) }),
  listed("with an unknown extension", "accepted", { list: () => ({ extensions: [{ ...unknown, critical: false }] }) }),
  listed("by an issuer that may not sign lists", "revocation-unknown", { root: { keyUsage: ["keyCertSign"] } }),
  listed("by an issuer without a key usage", "accepted", { root: { without: [ext.keyUsage] } }),
  listed("signed with SHA-1", "revocation-unknown", { list: () => ({ algorithm: "ECDSA-any-SHA-1" }) }),
  bad("list: signed by another key", "revocation-unknown", (f) => {
    const root = f.root();
    const impostor = { certificate: root.certificate, privateKey: f.key() };
    return { ...chainOf(root, f.leaf(root)), options: { crls: [makeRevocationList({ issuer: impostor, ...period })] } };
  }),
  good("list: of another issuer, with the same serial number", (f) => {
    const [root, other] = [f.root({ subject: "CN=One" }), f.root({ subject: "CN=Two" })];
    const leaf = f.leaf(root);
    return { ...chainOf(root, leaf), options: { crls: [listOf(root), listOf(other, revoke(leaf))] } };
  }),
  good("list: none for this issuer", (f) => {
    const [root, other] = [f.root({ subject: "CN=One" }), f.root({ subject: "CN=Two" })];
    return { ...chainOf(root, f.leaf(root)), options: { crls: [listOf(other)] } };
  }),
  bad("list: none for this issuer, and an answer is required", "revocation-unknown", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), options: { revocation: "required" } };
  }),
  good("list: the certificate stands in it, and nobody looks", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    return { ...chainOf(root, leaf), options: { crls: [listOf(root, revoke(leaf))], revocation: "off" } };
  }),
  good("list: what is no list is left out", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    const list = listOf(root, revoke(leaf));
    const version1 = list.slice();
    version1[Buffer.from(version1).indexOf(Buffer.from("020101", "hex")) + 2] = 0;
    return { ...chainOf(root, leaf), options: { crls: [new Uint8Array([1, 2, 3]), version1, list.subarray(0, -1)] } };
  }),
  bad("list: an intermediate is revoked", "revoked", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return { ...chainOf(root, ica, f.leaf(ica)), options: { crls: [listOf(root, revoke(ica)), listOf(ica)] } };
  }),
  good("list: one of two ways is revoked", (f) => {
    const [one, two] = [f.root({ subject: "CN=One" }), f.root({ subject: "CN=Two" })];
    const ica = f.authority(one, { subject: "CN=Issuer" });
    return {
      anchors: [one, two],
      chain: [f.leaf(ica), ica, f.cross(ica, two)],
      options: { crls: [listOf(one, revoke(ica))] },
    };
  }),

  // scopes, §5.2.5
  listed("of this distribution point", "accepted", {
    leaf: points(partition),
    list: scope({ names: [{ uri: partition }] }),
  }),
  listed("of another distribution point", "revocation-unknown", {
    leaf: points("http://crl.example/2.crl"),
    list: scope({ names: [{ uri: partition }] }),
  }),
  listed("of a distribution point that is spelt another way", "revocation-unknown", {
    leaf: points("http://crl.example/%31.crl"),
    list: scope({ names: [{ uri: partition }] }),
  }),
  listed("of a distribution point, and the certificate names none", "revocation-unknown", {
    list: scope({ names: [{ uri: partition }] }),
  }),
  listed(
    "of a distribution point that is the issuer's name",
    { webpki: "revocation-unknown", rfc5280: "accepted" },
    { list: scope({ names: [{ directory: "O=Test, CN=Root" }] }) },
  ),
  listed(
    "of a distribution point with other names beside",
    { webpki: "revocation-unknown", rfc5280: "accepted" },
    {
      leaf: points(partition),
      list: scope({ names: [{ uri: partition }, { dns: "example.com" }] }),
    },
  ),
  differs(
    "list: of a distribution point, and the certificate has other names beside",
    { webpki: "revocation-unknown", rfc5280: "accepted" },
    (f) => {
      const root = f.root();
      const names = [{ uri: partition }, { dns: "example.com" }];
      const leaf = f.leaf(root, { extensions: [extension.cRLDistributionPoints([{ names }])] });
      return { ...chainOf(root, leaf), options: { crls: [listOf(root, scope({ names: [{ uri: partition }] })())] } };
    },
  ),
  listed("of end entities", "accepted", { list: scope({ only: "userCerts" }) }),
  listed("of authorities", "revocation-unknown", { list: scope({ only: "cACerts" }) }),
  listed("of attribute certificates", "revocation-unknown", { list: scope({ only: "attributeCerts" }) }),
  listed("that is indirect", "revocation-unknown", {
    leaf: points(partition),
    list: scope({ names: [{ uri: partition }], indirect: true }),
  }),
  listed("of some reasons alone", "revocation-unknown", { list: scope({ reasons: ["keyCompromise"] }) }),
  listed("whose scope is not critical", "revocation-unknown", {
    list: () => ({ extensions: [raw(extension.issuingDistributionPoint({ only: "userCerts" }), { critical: false })] }),
  }),
  good("list: two that cover all reasons between them", (f) => {
    const root = f.root();
    const some = scope({ reasons: ["keyCompromise", "cACompromise", "affiliationChanged"] });
    const rest = scope({
      reasons: ["superseded", "cessationOfOperation", "certificateHold", "privilegeWithdrawn", "aACompromise"],
    });
    return { ...chainOf(root, f.leaf(root)), options: { crls: [listOf(root, some()), listOf(root, rest())] } };
  }),
  bad("list: of end entities, over an intermediate", "revocation-unknown", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return {
      ...chainOf(root, ica, f.leaf(ica)),
      options: { crls: [listOf(root, scope({ only: "userCerts" })()), listOf(ica)] },
    };
  }),

  // delta lists, §5.2.4
  ...(
    [
      ["adds the certificate", 1, 2, 1, {}, {}, "revoked"],
      ["adds nobody", 1, 2, 1, undefined, {}, "accepted"],
      ["takes the certificate back", 1, 2, 1, { reason: 8 }, { reason: 6 }, "accepted"],
      ["to a newer list than ours: it does not fit", 1, 3, 2, {}, {}, "accepted"],
      ["that is older than our list: it says nothing new", 5, 2, 1, {}, {}, "accepted"],
    ] as const
  ).map(([name, base, number, of, entry, inBase, expect]) => ({
    name: `delta list: ${name}`,
    expect: expect as Expected,
    make: (f: Forge) => {
      const root = f.root();
      const leaf = f.leaf(root);
      const held = "reason" in inBase ? revoke(leaf, inBase) : {};
      const delta = { number, extensions: [extension.deltaCRLIndicator(of)], ...(entry && revoke(leaf, entry)) };
      return {
        ...chainOf(root, leaf),
        options: { crls: [listOf(root, { number: base, ...held }), listOf(root, delta)] },
      };
    },
  })),

  // OCSP
  stapled("good, by the issuer", "accepted", () => ({})),
  stapled("good, by the issuer by name", "accepted", () => ({ by: "name" })),
  stapled("good, identified with SHA-256", "accepted", () => ({ hash: "SHA-256" })),
  stapled("revoked", "revoked", () => ({ status: { revokedAt: at - day, reason: 1 } })),
  stapled("unknown", "unusable-staple", () => ({ status: "unknown" })),
  stapled("from the future", "unusable-staple", () => ({ thisUpdate: at + 1000 })),
  stapled("out of date", "unusable-staple", () => ({ thisUpdate: at - 2 * day, nextUpdate: at - 1000 })),
  stapled("of another certificate", "accepted", () => ({ serial: Uint8Array.of(9) })),
  stapled(
    "of another certificate, where one is required",
    "staple-required",
    () => ({ serial: Uint8Array.of(9) }),
    mustStaple,
  ),
  stapled("good, where one is required", "accepted", () => ({}), mustStaple),
  stapled("by another key", "unusable-staple", (root, _, f) => ({
    responder: { certificate: root.certificate, privateKey: f.key() },
  })),
  stapled("by a responder that the issuer named", "accepted", (root, _, f) => ({ responder: responderOf(root, f) })),
  stapled("by a responder that the issuer named, by name", "accepted", (root, _, f) => ({
    responder: responderOf(root, f),
    by: "name",
  })),
  stapled("by a responder whose certificate is missing", "unusable-staple", (root, _, f) => ({
    responder: responderOf(root, f),
    certificates: [],
  })),
  stapled("by a responder for another purpose", "unusable-staple", (root, _, f) => ({
    responder: responderOf(root, f, { purposes: ["server"] }),
  })),
  stapled("by a responder for any purpose", "unusable-staple", (root, _, f) => ({
    responder: responderOf(root, f, { purposes: ["2.5.29.37.0"] }),
  })),
  stapled("by a responder that has expired", "unusable-staple", (root, _, f) => ({
    responder: responderOf(root, f, { notAfter: at - 1000 }),
  })),
  stapled("by a responder of another issuer", "unusable-staple", (_, __, f) => ({
    responder: responderOf(f.root({ subject: "CN=Other" }), f),
  })),
  stapled("by a responder that a stranger of the issuer's name named", "unusable-staple", (_, __, f) => ({
    responder: responderOf(f.root(), f),
  })),
  bad("staple: not a response", "malformed-ocsp", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), ask: { stapledOcsp: new Uint8Array([1, 2, 3]) } };
  }),
  good("staple: an error of the responder", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), ask: { stapledOcsp: new Uint8Array([0x30, 3, 0x0a, 1, 3]) } };
  }),
  bad("staple: required and not there", "staple-required", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, mustStaple));
  }),
  bad("staple: required and an error of the responder", "staple-required", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, mustStaple)), ask: { stapledOcsp: new Uint8Array([0x30, 3, 0x0a, 1, 3]) } };
  }),
  good("staple: required and not there, where that is overlooked", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, mustStaple)), options: { mustStaple: "ignore" } };
  }),
  bad("staple: good, but a list says revoked", "revoked", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    const response = makeOcspResponse({
      provider,
      issuer: root.certificate,
      responder: root,
      serial: leaf.certificate.serial,
      producedAt: at,
      ...period,
    });
    return { ...chainOf(root, leaf), ask: { stapledOcsp: response }, options: { crls: [listOf(root, revoke(leaf))] } };
  }),
  good("staple: good, and an answer is required", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    const response = makeOcspResponse({
      provider,
      issuer: root.certificate,
      responder: root,
      serial: leaf.certificate.serial,
      producedAt: at,
      ...period,
    });
    return { ...chainOf(root, leaf), ask: { stapledOcsp: response }, options: { revocation: "required" } };
  }),

  // pins, RFC 7469 §2.6
  ...(["end entity", "intermediate", "root"] as const).map((who) =>
    good(`pin of the ${who}`, (f) => {
      const root = f.root();
      const ica = f.authority(root);
      const leaf = f.leaf(ica);
      const pinned = { "end entity": leaf, intermediate: ica, root }[who];
      return { ...chainOf(root, ica, leaf), options: { pins: [pin(pinned)] } };
    }),
  ),
  bad("pin of another key", "not-pinned", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), options: { pins: [pin(f.root())] } };
  }),
  good("a trusted key needs nothing else", (f) => {
    const own = f.leaf(f.root(), { notAfter: at - day, san: ["example.org"] });
    return { anchors: [], chain: [own], options: { trustedKeys: [pin(own)] } };
  }),
  bad("a trusted key of an intermediate trusts nothing below it", "unknown-issuer", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return { anchors: [], chain: [f.leaf(ica), ica], options: { trustedKeys: [pin(ica)] } };
  }),
];
