import { DecodeError } from "../bytes/index.js";
import { asciiText, context, contextConstructed, type DerReader, type Element, inside, oidText } from "./der/index.js";
import { type DistinguishedName, readName } from "./distinguished-name.js";
import { limits } from "./limits.js";

/** A GeneralName, RFC 5280 §4.2.1.6. */
export type GeneralName =
  | { readonly form: "otherName"; readonly type: string; readonly value: Element }
  | { readonly form: "rfc822Name"; readonly text: string }
  | { readonly form: "dNSName"; readonly text: string }
  | { readonly form: "x400Address"; readonly value: Element }
  | { readonly form: "directoryName"; readonly name: DistinguishedName }
  | { readonly form: "ediPartyName"; readonly value: Element }
  | { readonly form: "uniformResourceIdentifier"; readonly text: string }
  | { readonly form: "iPAddress"; readonly bytes: Uint8Array }
  | { readonly form: "registeredID"; readonly oid: string };

export type NameForm = GeneralName["form"];

const readers: ReadonlyMap<number, (element: Element) => GeneralName> = new Map<
  number,
  (element: Element) => GeneralName
>([
  [contextConstructed(0), readOtherName],
  [context(1), (element) => ({ form: "rfc822Name", text: ascii(element) })],
  [context(2), (element) => ({ form: "dNSName", text: ascii(element) })],
  [contextConstructed(3), (value) => ({ form: "x400Address", value })],
  [contextConstructed(4), readDirectoryName],
  [contextConstructed(5), (value) => ({ form: "ediPartyName", value })],
  [context(6), (element) => ({ form: "uniformResourceIdentifier", text: ascii(element) })],
  [context(7), ({ content }) => ({ form: "iPAddress", bytes: content })],
  [context(8), ({ content }) => ({ form: "registeredID", oid: oidText(content) })],
]);

export function readGeneralName(reader: DerReader): GeneralName {
  const element = reader.next();
  const read = readers.get(element.tag);
  if (!read) throw new DecodeError(`tag ${element.tag} is no general name`);
  return read(element);
}

/** `SEQUENCE SIZE (1..MAX) OF GeneralName`. */
export function readGeneralNames(reader: DerReader, tag?: number): readonly GeneralName[] {
  const names = reader.sequenceOf(readGeneralName, limits.generalNamesMax, tag);
  if (names.length === 0) throw new DecodeError("general names that are none");
  return names;
}

function ascii({ content }: Element): string {
  const text = asciiText(content);
  if (text === undefined) throw new DecodeError("an IA5String with a byte above 127");
  return text;
}

function readOtherName(element: Element): GeneralName {
  const reader = inside(element);
  const type = reader.oid();
  const value = reader.maybeExplicit(0, (inner) => inner.next());
  if (!value) throw new DecodeError("an otherName without a value");
  reader.end();
  return { form: "otherName", type, value };
}

/** A Name is a CHOICE, so its tag is explicit (X.680 §31.2.7). */
function readDirectoryName(element: Element): GeneralName {
  const reader = inside(element);
  const name = readName(reader);
  reader.end();
  return { form: "directoryName", name };
}
