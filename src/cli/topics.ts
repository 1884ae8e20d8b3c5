import { exitCodes } from "./exit.js";
import { schemeRows } from "./url.js";

export interface Topic {
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly rows: readonly (readonly [term: string, about: string])[];
}

/** What `sealport help TOPIC` explains; docs/cli.md prints the same. */
export const topics: Readonly<Record<string, Topic>> = {
  urls: {
    title: "URLs",
    paragraphs: [
      "SCHEME://HOST:PORT, and behind a question mark options that are also options of connect and listen: tls://example.com:443?alpn=h2,http/1.1&groups=x25519. An IPv6 address stands in brackets.",
      "What the scheme does not know is an error, not ignored. A URL carries no user name, password or path, and never a secret.",
    ],
    rows: schemeRows(),
  },
  "exit-codes": {
    title: "Exit codes",
    paragraphs: ["The number says what kind of thing went wrong, the text on stderr what exactly."],
    rows: Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning]),
  },
  secrets: {
    title: "Secrets",
    paragraphs: [
      "Every user of a machine can read every command line on it, so an option that takes a secret takes the place where it is.",
      "A key is written in hexadecimal, or in base64 behind base64:. White space around it is ignored.",
    ],
    rows: [
      ["@FILE", "the bytes of a file"],
      ["env:NAME", "an environment variable"],
      ["-", "standard input, to its end"],
    ],
  },
  json: {
    title: "JSON",
    paragraphs: [
      "demo, connect, listen, tunnel, exec, ping and doctor write one event a line: an object with v (the version of this format, 1), event (its name) and the event's fields. survey, bench, keygen and explore write one document.",
      "Errors are an event too: exit, message, hint, and failure with fault, reason, protocol and at. docs/json.md has every event and field.",
    ],
    rows: [],
  },
  environment: {
    title: "Environment",
    paragraphs: [],
    rows: [
      ["NO_COLOR", "if not empty: no colours"],
      ["FORCE_COLOR", "colours even where the output is no terminal; 0 for none"],
      ["COLUMNS", "width to write to when the output is no terminal"],
      ["SSLKEYLOGFILE", "file that connect and listen append TLS secrets to, as Wireshark reads them"],
    ],
  },
};
