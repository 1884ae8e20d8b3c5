import { command } from "./command.js";
import { keygenKinds, keyTypes } from "./kinds.js";
import { sessionOptions } from "./session-options.js";
import { tunnelOptions } from "./tunnel-parameters.js";

/** The table of commands. Parsing, `--help`, completion and docs/cli.md all come from it. */
export const commands = [
  command({
    name: "demo",
    brief: "Show what works: every protocol shakes hands and moves data, then Table 1 with each cell's state",
    positionals: {},
    options: { json: { kind: "flag", about: "Write events as JSON, one a line" } },
    examples: [["sealport demo", "the whole show, a few seconds"]],
    run: async (values, context) => (await import("./commands/demo.js")).demo(values, context),
  }),
  command({
    name: "survey",
    brief: "Prove the cells of RFC 8922's Table 1: a real handshake and a real effect for each",
    details: "A cell is demonstrated only by what ran now; a blank is shown to refuse. Ends with 1 if a cell failed",
    positionals: {},
    options: {
      json: { kind: "flag", about: "Write one JSON document: protocols and cells" },
      md: { kind: "flag", about: "Write the table as Markdown" },
      html: { kind: "flag", about: "Write the table as one HTML page" },
      only: { kind: "list", metavar: "WHAT", about: "Only this protocol, interface or cell: TLS, KU, TLS/KU" },
    },
    examples: [
      ["sealport survey --only TLS", "one row"],
      ["sealport survey --md --only KU", "one column, for a paper"],
    ],
    run: async (values, context) => (await import("./commands/survey.js")).survey(values, context),
  }),
  command({
    name: "connect",
    brief: "Connect to a URL: stdin goes to the peer, what it says to stdout",
    details: "The end of stdin closes our direction alone; connect ends when the peer has closed its own",
    positionals: { url: { kind: "text", metavar: "URL", about: "sealport help urls" } },
    options: {
      ...sessionOptions,
      session: { kind: "text", metavar: "FILE", about: "Keep sessions in this file, and resume from it" },
      "early-data": {
        kind: "text",
        metavar: "SOURCE",
        about: "Send this first, as 0-RTT if a session allows; an attacker may replay it",
      },
      post: { kind: "text", metavar: "SOURCE", about: "Behind a path: POST this instead of GET: @FILE, env:NAME or -" },
    },
    examples: [
      ["sealport connect tls://example.com:443?alpn=http/1.1", "talk to a web server"],
      [
        "sealport connect tls://localhost:8443 --trust ca.crt --session s.json",
        "an authority of your own, sessions kept",
      ],
      ["sealport connect tls://localhost:8443 --psk @shared.psk", "a pre-shared key instead of certificates"],
      ["sealport connect gquic://localhost:4433 --versions Q043 --trust ca.crt", "Google QUIC, for old peers"],
      ["sealport connect curvecp://localhost:4434 --peer-key server", "CurveCP, with the server's key directory"],
      ["sealport connect minimalt://localhost:4436 --peer-key server.pub", "MinimaLT, with the server's public keys"],
      ["sealport connect quic://localhost:4433/index.html --alpn h3 --trust ca.crt", "a file by HTTP/3"],
      [
        "sealport connect srtp://localhost:5004 --srtp-keys @call.near.sdes",
        "RTP packets, each behind its length (RFC 4571), both ways",
      ],
      ["sealport connect zrtp://localhost:5004 --zrtp-cache calls.json", "the same, keys agreed on; prints the words"],
      [
        "sealport connect tls://db.office:5432 --tunnel office.conf",
        "any of these through a tunnel, by its names inside",
      ],
    ],
    run: async (values, context) => (await import("./commands/connect.js")).connect(values, context),
  }),
  command({
    name: "listen",
    brief: "Serve a URL: echo, a command, or stdin and stdout",
    positionals: { url: { kind: "text", metavar: "URL", about: "With * for every address and 0 for any free port" } },
    options: {
      ...sessionOptions,
      echo: { kind: "flag", about: "Give back what each peer says" },
      exec: { kind: "text", metavar: "COMMAND", about: "Run this for each peer, with it for stdin and stdout" },
      once: { kind: "flag", about: "End after the first peer" },
      www: { kind: "text", metavar: "DIR", about: "quic: serve the files of this folder, by HTTP/3 and hq-interop" },
      "ask-client": {
        kind: "choice",
        metavar: "HOW",
        values: ["request", "require"],
        about: "Ask clients for a certificate",
      },
    },
    examples: [
      [
        "sealport listen tls://127.0.0.1:8443 --identity server --echo",
        "server.crt and server.key, as keygen made them",
      ],
      ["sealport listen tls://*:8443 --identity server --exec 'date'", "a command for each peer"],
      ["sealport listen quic://*:4433 --identity server --www public", "files by HTTP/3"],
      ["sealport listen gquic://*:4433 --identity server --echo", "Google QUIC; the key is RSA or P-256"],
      ["sealport listen curvecp://*:4434 --identity server --echo", "a key directory, as keygen curvecp made it"],
      ["sealport listen minimalt://*:4436 --identity server.key --echo", "a key file, as keygen minimalt made it"],
      ["sealport listen srtp://*:5004 --srtp-keys @call.far.sdes --echo", "RTP packets, given back"],
      ["sealport listen zrtp://*:5004 --zrtp-cache calls.json --echo", "waits for a call, and prints the words"],
      ["sealport listen wireguard://*:51820 --echo", "prints the file of a client, and a QR code of it"],
      ["sealport listen tls://*:8443 --identity server --echo --tunnel office.conf", "any of these inside a tunnel"],
      ["sealport listen openvpn://*:1194 --echo", "prints an .ovpn file for clients; openvpn+tcp: by TCP"],
    ],
    run: async (values, context) => (await import("./commands/listen.js")).listen(values, context),
  }),
  command({
    name: "tunnel",
    brief: "Open a tunnel from a WireGuard file, with proxies and forwards into it; no root, no device",
    details: "Runs until it is interrupted. -W connects stdin and stdout to one host inside, and ends with it",
    positionals: {
      file: { kind: "text", metavar: "FILE", about: "A wg-quick file, or an OpenVPN client's or server's" },
    },
    options: {
      socks: {
        kind: "text",
        metavar: "ADDRESS",
        about: "SOCKS5 and HTTP proxy on one port: 1080, 127.0.0.1:1080, [::1]:1080",
      },
      "socks-auth": { kind: "text", metavar: "SOURCE", about: "user:password that the proxy asks for" },
      local: {
        kind: "list",
        metavar: "SPEC",
        short: "-L",
        about: "[bind:]port:host:port[/udp]: from a port here to a host inside",
      },
      remote: {
        kind: "list",
        metavar: "SPEC",
        short: "-R",
        about: "port:host:port[/udp]: from a port inside to a host here",
      },
      stdio: { kind: "text", metavar: "HOST:PORT", short: "-W", about: "Connect stdin and stdout to a host inside" },
      tun: {
        kind: "text",
        metavar: "NAME",
        about:
          "As root on Linux: a device of this name, with the file's addresses, MTU, routes and name servers, for all programs",
      },
      metrics: { kind: "text", metavar: "ADDRESS", about: "Serve /metrics (OpenMetrics) and /readyz over HTTP" },
      pcapng: {
        kind: "text",
        metavar: "FILE",
        about: "Write what passes outside and, decrypted, inside, with its secrets, as a capture for Wireshark",
      },
      ...tunnelOptions,
    },
    examples: [
      ["sealport tunnel office.conf --socks 127.0.0.1:1080", "for browsers and everything that knows proxies"],
      ["sealport tunnel office.conf -L 5432:db.office:5432", "one port"],
      ["sealport tunnel office.conf --tun wg0", "as root: a device, gone when the command ends"],
      ["sealport tunnel office.swanctl.conf", "IPsec, by IKEv2, from strongSwan's file"],
      ["sealport tunnel office.ovpn --login @login.txt", "OpenVPN, with user and password on two lines"],
      ["ssh -o ProxyCommand='sealport tunnel office.conf -W %h:%p' me@build.office", "as ssh's -W"],
    ],
    run: async (values, context) => (await import("./commands/tunnel.js")).tunnel(values, context),
  }),
  command({
    name: "exec",
    brief: "Run a command with its traffic sent through a tunnel",
    details:
      "The command gets a proxy of its own in its environment; in Node programs, net, tls, http and fetch use it by themselves",
    positionals: {
      file: { kind: "text", metavar: "FILE", about: "A wg-quick file, or an OpenVPN client's or server's" },
      program: { kind: "list", metavar: "COMMAND", about: "Behind --, the command and its arguments" },
    },
    options: tunnelOptions,
    examples: [
      ["sealport exec office.conf -- curl http://intranet.office/", "what knows proxies"],
      ["sealport exec office.conf -- node app.js", "a Node program"],
    ],
    run: async (values, context) => (await import("./commands/exec.js")).exec(values, context),
  }),
  command({
    name: "ping",
    brief: "Echo a host through a tunnel",
    positionals: {
      file: { kind: "text", metavar: "FILE", about: "A wg-quick file, or an OpenVPN client's or server's" },
      host: { kind: "text", metavar: "HOST", about: "A name or address inside" },
    },
    options: {
      count: { kind: "number", metavar: "N", min: 1, about: "How many echoes; 4 if left out" },
      ...tunnelOptions,
    },
    examples: [["sealport ping office.conf 10.0.0.1", "four echoes"]],
    run: async (values, context) => (await import("./commands/ping.js")).ping(values, context),
  }),
  command({
    name: "doctor",
    brief: "Find out what is wrong with a tunnel: file, names, handshake, name servers",
    details: "Ends with the exit code of what failed first",
    positionals: {
      file: { kind: "text", metavar: "FILE", about: "A wg-quick file, or an OpenVPN client's or server's" },
    },
    options: tunnelOptions,
    examples: [["sealport doctor office.conf", "every check, in order"]],
    run: async (values, context) => (await import("./commands/doctor.js")).doctor(values, context),
  }),
  command({
    name: "keygen",
    brief:
      "Make keys and certificates: an authority, a certificate, a raw key, a pre-shared key, ticket keys, WireGuard, CurveCP and MinimaLT keys",
    details:
      "Writes to stdout, or with --out to files that did not exist before; files with secrets are their owner's alone",
    positionals: {
      kind: { kind: "choice", metavar: "KIND", values: keygenKinds, about: "What to make" },
    },
    options: {
      name: {
        kind: "list",
        metavar: "NAME",
        about: "Host name, address, e-mail or URI of a certificate; an authority's name",
      },
      type: { kind: "choice", metavar: "TYPE", values: keyTypes, about: "Type of the key; P-256 if left out" },
      days: { kind: "number", metavar: "DAYS", min: 1, about: "How long a certificate is good; 90 if left out" },
      issuer: {
        kind: "text",
        metavar: "PREFIX",
        about: "Who signs a certificate: PREFIX.crt and PREFIX.key; itself if left out",
      },
      out: {
        kind: "text",
        metavar: "PREFIX",
        about: "Write PREFIX.crt, PREFIX.key and so on (curvecp: a directory), and print their names",
      },
      json: { kind: "flag", about: "Write one JSON document" },
    },
    examples: [
      ["sealport keygen authority --name 'My authority' --out ca", "ca.crt and ca.key"],
      [
        "sealport keygen certificate --name localhost --name 127.0.0.1 --issuer ca --out server",
        "server.crt, signed by it",
      ],
      ["sealport keygen psk --out shared", "32 random bytes in hexadecimal"],
      ["sealport keygen curvecp --out server", "a key directory, as NaCl's programs have it"],
      [
        "sealport keygen srtp --out call",
        "call.near.sdes and call.far.sdes: the keys of both directions, for each side",
      ],
    ],
    run: async (values, context) => (await import("./commands/keygen.js")).keygen(values, context),
  }),
  command({
    name: "explore",
    brief: "See what passes: a scene of any protocol, played in virtual time, as a page in your browser",
    details:
      "Serves pages on 127.0.0.1 until it is interrupted; with --html or --json it writes one scene and ends. The same numbers give the same packets",
    positionals: {},
    options: {
      scene: { kind: "text", metavar: "NAME", about: "tls13, tls12, dtls13, quic1 …: an unknown one is told all" },
      beside: { kind: "text", metavar: "NAME", about: "Another scene to compare it with" },
      delay: { kind: "number", metavar: "MS", min: 0, about: "The link's delay one way; 20 if left out" },
      loss: { kind: "number", metavar: "PERCENT", min: 0, about: "Packets that it loses; none if left out" },
      seed: { kind: "number", metavar: "N", min: 0, about: "Decides which are lost, and every key; 1 if left out" },
      bytes: {
        kind: "number",
        metavar: "N",
        min: 1,
        about: "What is sent once the session stands, and echoed; 1,000 if left out",
      },
      port: { kind: "number", metavar: "PORT", min: 0, about: "Where to serve; any free port if left out" },
      html: { kind: "flag", about: "Write one page, without scripts or outside resources" },
      json: { kind: "flag", about: "Write one JSON document: packets, events, outcome" },
    },
    examples: [
      ["sealport explore", "prints the address to open"],
      ["sealport explore --scene tls13 --beside tls12 --html", "one page for a lecture"],
      ["sealport explore --scene quic1 --loss 10 --bytes 100000 --json", "for programs"],
    ],
    run: async (values, context) => (await import("./commands/explore.js")).explore(values, context),
  }),
  command({
    name: "bench",
    brief: "Measure Sealport beside other implementations, both in one run",
    positionals: { name: { kind: "text", metavar: "NAME", about: "A benchmark; all of them if left out" } },
    options: {
      json: { kind: "flag", about: "Write one JSON document: rows" },
      list: { kind: "flag", about: "Name the benchmarks and end" },
    },
    examples: [["sealport bench --list", "what can be measured"]],
    run: async (values, context) => (await import("./commands/bench.js")).bench(values, context),
  }),
  command({
    name: "help",
    brief: "Explain a topic: urls, exit-codes, secrets, json, environment",
    positionals: { topic: { kind: "text", metavar: "TOPIC", about: "A topic or a command" } },
    options: { json: { kind: "flag", about: "Write the topic as JSON" } },
    examples: [["sealport help exit-codes", "what each exit code means"]],
    run: async (values, context) => (await import("./commands/help.js")).help(values, context),
  }),
];
