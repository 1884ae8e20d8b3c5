import type { Certificate } from "./certificate.js";
import { isEmpty, isWithin, textsOf } from "./distinguished-name.js";
import type { NameConstraints } from "./extensions.js";
import { PkiFailure } from "./failure.js";
import type { GeneralName, NameForm } from "./general-name.js";
import { ipText } from "./ip.js";
import { isDomain, isPresentedDomain, parseMailbox, parseUri } from "./names.js";
import { attributes } from "./oids.js";

/** Counts comparisons down; it is shared by everything that one verification compares. */
export interface ComparisonBudget {
  nameComparisonsLeft: number;
}

/**
 * The permitted and excluded subtrees of a path, RFC 5280 §6.1.1(h)-(i). Constraints are added from the anchor down; a
 * name passes if, for each extension that permits subtrees of its form, it is within one of them, and within no excluded
 * one. Forms that we do not understand cannot be compared, so a name of such a form fails where one is constrained
 * (§4.2.1.10).
 */
export class ConstraintSet {
  #permitted: ReadonlyMap<NameForm, readonly GeneralName[]>[] = [];
  #excluded: ReadonlyMap<NameForm, readonly GeneralName[]>[] = [];

  add({ permitted, excluded }: NameConstraints): void {
    if (permitted.length > 0) this.#permitted.push(byForm(permitted));
    if (excluded.length > 0) this.#excluded.push(byForm(excluded));
  }

  get empty(): boolean {
    return this.#permitted.length === 0 && this.#excluded.length === 0;
  }

  /** §6.1.3(b)-(c) for all names of a certificate. */
  check(certificate: Certificate, budget: ComparisonBudget): PkiFailure | undefined {
    if (this.empty) return undefined;
    for (const name of constrainedNames(certificate)) {
      const failure = this.#checkName(name, budget);
      if (failure) return failure;
    }
    return undefined;
  }

  #checkName(name: GeneralName, budget: ComparisonBudget): PkiFailure | undefined {
    const { form } = name;
    const compare = comparers[form];
    for (const subtrees of this.#excluded) {
      for (const subtree of subtrees.get(form) ?? []) {
        if (--budget.nameComparisonsLeft < 0) return tooMany();
        if (!compare) return unsupported(form);
        if (compare.excludes(name, subtree)) {
          return new PkiFailure("name-excluded", `${describe(name)} is excluded by ${describe(subtree)}`, { at: form });
        }
      }
    }
    for (const subtrees of this.#permitted) {
      const ofForm = subtrees.get(form);
      if (!ofForm) continue;
      if (!compare) return unsupported(form);
      let within = false;
      for (const subtree of ofForm) {
        if (--budget.nameComparisonsLeft < 0) return tooMany();
        if ((within = compare.permits(name, subtree))) break;
      }
      if (!within)
        return new PkiFailure("name-not-permitted", `${describe(name)} is not in a permitted subtree`, { at: form });
    }
    return undefined;
  }
}

/** Are the subtrees of an extension ones that RFC 5280 §4.2.1.10 describes? Says what is wrong. */
export function malformedSubtree({ permitted, excluded }: NameConstraints): string | undefined {
  const wrong = [...permitted, ...excluded].find((subtree) => comparers[subtree.form]?.isSubtree(subtree) === false);
  return wrong && `${describe(wrong)} is no subtree`;
}

/**
 * The names that constraints apply to: the subject if there is one, every alternative name, and, where there is no
 * alternative name, e-mail addresses in the subject.
 */
function constrainedNames({ subject, extensions }: Certificate): GeneralName[] {
  const names: GeneralName[] = isEmpty(subject) ? [] : [{ form: "directoryName", name: subject }];
  if (extensions.subjectAltName) names.push(...extensions.subjectAltName);
  else names.push(...textsOf(subject, attributes.emailAddress).map((text) => ({ form: "rfc822Name" as const, text })));
  return names;
}

/** How names of one form relate to subtrees of it. The subtree always has the form of the row. */
interface Comparer {
  isSubtree(subtree: GeneralName): boolean;
  permits(name: GeneralName, subtree: GeneralName): boolean;
  /** Also true for a name that we cannot make sense of: it might be within. */
  excludes(name: GeneralName, subtree: GeneralName): boolean;
}

const textual = (
  form: "dNSName" | "rfc822Name" | "uniformResourceIdentifier",
  isSubtree: (subtree: string) => boolean,
  permits: (name: string, subtree: string) => boolean,
  excludes: (name: string, subtree: string) => boolean,
): Comparer => {
  const text = (name: GeneralName): string => (name.form === form ? name.text : "");
  return {
    isSubtree: (subtree) => isSubtree(text(subtree)),
    permits: (name, subtree) => permits(text(name), text(subtree)),
    excludes: (name, subtree) => excludes(text(name), text(subtree)),
  };
};

const comparers: Readonly<Partial<Record<NameForm, Comparer>>> = {
  dNSName: textual(
    "dNSName",
    (subtree) => subtree === "" || isDomain(subtree),
    (name, subtree) => {
      const domain = domainOf(name);
      return domain !== undefined && isWithinDomain(domain.base, subtree);
    },
    (name, subtree) => {
      const domain = domainOf(name);
      if (domain === undefined || isWithinDomain(domain.base, subtree)) return true;
      // a wildcard stands for any label, also for the one that is excluded
      return domain.wildcard && subtree.slice(subtree.indexOf(".") + 1).toLowerCase() === domain.base;
    },
  ),
  rfc822Name: textual(
    "rfc822Name",
    (subtree) => parseMailbox(subtree) !== undefined || isHostSubtree(subtree),
    (name, subtree) => isMailWithin(name, subtree) === true,
    (name, subtree) => isMailWithin(name, subtree) !== false,
  ),
  uniformResourceIdentifier: textual(
    "uniformResourceIdentifier",
    isHostSubtree,
    (name, subtree) => isUriWithin(name, subtree) === true,
    (name, subtree) => isUriWithin(name, subtree) !== false,
  ),
  iPAddress: {
    isSubtree: (subtree) => subtree.form === "iPAddress" && isRange(subtree.bytes),
    permits: (name, subtree) => isAddressWithin(name, subtree) === true,
    excludes: (name, subtree) => isAddressWithin(name, subtree) !== false,
  },
  directoryName: {
    isSubtree: () => true,
    permits: isNameWithin,
    excludes: isNameWithin,
  },
};

/** A host, or with a dot before it, everything below that host and not it (for mailboxes and URIs, never for DNS names). */
function isHostSubtree(subtree: string): boolean {
  return isDomain(subtree.startsWith(".") ? subtree.slice(1) : subtree);
}

function domainOf(name: string): { readonly wildcard: boolean; readonly base: string } | undefined {
  if (!isPresentedDomain(name)) return undefined;
  const wildcard = name.startsWith("*.");
  return { wildcard, base: (wildcard ? name.slice(2) : name).toLowerCase() };
}

/** Zero or more labels added to the left. The empty subtree holds every name. */
function isWithinDomain(domain: string, subtree: string): boolean {
  const base = subtree.toLowerCase();
  return base === "" || domain === base || domain.endsWith(`.${base}`);
}

function isWithinHost(host: string, subtree: string): boolean {
  const base = subtree.toLowerCase();
  return base.startsWith(".") ? host.endsWith(base) : host === base;
}

/** Undefined if the name is no mailbox. A subtree is one mailbox, or all of a host or below it. */
function isMailWithin(name: string, subtree: string): boolean | undefined {
  const mailbox = parseMailbox(name);
  if (!mailbox) return undefined;
  const exact = parseMailbox(subtree);
  return exact ? exact.local === mailbox.local && exact.host === mailbox.host : isWithinHost(mailbox.host, subtree);
}

/** Undefined if the URI has no host name, so that the constraint cannot apply (RFC 5280 §4.2.1.10). */
function isUriWithin(name: string, subtree: string): boolean | undefined {
  const host = parseUri(name)?.host;
  return host === undefined ? undefined : isWithinHost(host, subtree);
}

/** Address and mask of one size, the mask's ones before its zeros (RFC 4632 §3.1). */
function isRange(bytes: Uint8Array): boolean {
  if (bytes.length !== 8 && bytes.length !== 32) return false;
  const bits = Array.from(bytes.subarray(bytes.length / 2), (octet) => octet.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits);
}

/** Undefined if the name is no address. Addresses of the other family are outside. */
function isAddressWithin(name: GeneralName, subtree: GeneralName): boolean | undefined {
  if (name.form !== "iPAddress" || subtree.form !== "iPAddress") return undefined;
  const address = name.bytes;
  if (address.length !== 4 && address.length !== 16) return undefined;
  const range = subtree.bytes;
  if (range.length !== address.length * 2) return false;
  return address.every((octet, i) => ((octet ^ range[i]!) & range[address.length + i]!) === 0);
}

function isNameWithin(name: GeneralName, subtree: GeneralName): boolean {
  return name.form === "directoryName" && subtree.form === "directoryName" && isWithin(name.name, subtree.name);
}

function byForm(subtrees: readonly GeneralName[]): ReadonlyMap<NameForm, readonly GeneralName[]> {
  const map = new Map<NameForm, GeneralName[]>();
  for (const subtree of subtrees) {
    const same = map.get(subtree.form);
    if (same) same.push(subtree);
    else map.set(subtree.form, [subtree]);
  }
  return map;
}

/** For people, and for a bounded space of them. */
function describe(name: GeneralName): string {
  if ("text" in name) return `${name.form} ${JSON.stringify(name.text.slice(0, 80))}`;
  if (name.form !== "iPAddress") return `a ${name.form}`;
  const { bytes } = name;
  if (bytes.length === 4 || bytes.length === 16) return `address ${ipText(bytes)}`;
  const half = bytes.length / 2;
  return half === 4 || half === 16
    ? `range ${ipText(bytes.subarray(0, half))}/${ipText(bytes.subarray(half))}`
    : "a wrong address";
}

const tooMany = (): PkiFailure =>
  new PkiFailure("limit-reached", "more names and name constraints than we compare", { at: "nameConstraints" });

const unsupported = (form: NameForm): PkiFailure =>
  new PkiFailure("unsupported-constraint", `names of the form ${form} are constrained, which we cannot compare`, {
    at: form,
  });
