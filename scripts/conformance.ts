/**
 * RFC 9622 by section: every object, action, event and property, what became of it here, and the test that shows it.
 * docs/conformance.md is written from these rows; a test holds that each named test exists, that every property of
 * `src/taps/properties.ts` has its row, and that the page is not stale.
 */
export interface ConformanceRow {
  readonly section: string;
  readonly item: string;
  /**
   * - `acts`: it changes what happens, and the test shows the change
   * - `answers`: it cannot act yet, or not here; asking for it is answered so, and the test shows the answer
   */
  readonly state: "acts" | "answers";
  /** Name of the test. */
  readonly test: string;
  readonly note?: string;
}

const acts = (section: string, item: string, test: string, note?: string): ConformanceRow => ({
  section,
  item,
  state: "acts",
  test,
  ...(note !== undefined && { note }),
});
const answers = (section: string, item: string, test: string, note: string): ConformanceRow => ({
  ...acts(section, item, test, note),
  state: "answers",
});

// Tests that show several rows.
const preferencesTest =
  "every Preference decides between stacks that differ in it alone, and reads back as what the stack provides";
const unsupportedTest = "what no stack can make act answers unsupported and keeps its value";
const namesTest = "names are read in any case and values are checked at the untyped edge";
const resumedTest =
  "sessions are resumed between Connections, but not where the session is isolated or none are cached";
const orderTest = "whatever the schedule, events keep the order of RFC 9622 §11 (seed 11)";
const wrongEndpointTest = "wrong identifiers are refused by name";
const schedulerTest = "connScheduler and connPriority decide whose Message leaves first in a group";
const rateTest = "maxRecvRate: the reader takes no more than the rate, and the sender feels it";
const readOnlyTest = "read-only properties follow the Connection";
const piecesTest = "pieces of a Message share a context, stay together, and have one event each";
const cloneTest = "a clone is a Connection of its own in the group, with properties shared but connPriority";
const groupTest = "CloseGroup and AbortGroup end every member, each with its own event";
const multicastOutTest = "a multicast remote endpoint is sent to with its hop limit, without joining the group";
const multicastInTest = "a multicast local endpoint joins its group, from any source or from one";
const contradictionTest = "msgReliable and msgOrdered: what contradicts the stack is a SendError on that Message alone";
const finalTest =
  "final: the peer sees the end, further Sends are errors, and Receive after the final Message is one too";
const algorithmsTest = "alpn and groups reach the handshake";
const singlePacketTest = "noSegmentation and noFragmentation: what does not fit one packet is a SendError";
const inactiveTest = "multipath and advertisesAltaddr: a stack that does not act on them says so in the trace";
const keepAliveTest =
  "keepAlive and keepAliveTimeout turn TCP's keep-alives on, and a time longer than connTimeout turns them off";
const userTimeoutTest =
  "tcp.userTimeoutValue reaches TCP where the network can, and is not changeable once connTimeout is used";
const clientCertificateTest = "a client certificate is asked for, shown, and signed by the identity challenge";
const framingOrderTest = "the framer added last runs first on the way down and last on the way up";
const listenTest = "a TCP Connection echoes through a Listener, half-closes with a final Message, and closes";
const addRemoteTest = "AddRemote on a Connection that is establishing joins its race; RemoveRemote leaves it";

export const conformanceRows: readonly ConformanceRow[] = [
  acts("4.1", "Property names: namespaces, in any case", namesTest),
  acts(
    "4.1",
    "Reserved namespaces",
    "an unknown name is refused with the nearest known one, and reserved namespaces too",
  ),
  acts(
    "6",
    "NewPreconnection: values, not references",
    "changes to what a Preconnection was made of, or to it, do not reach what it began",
  ),
  acts("6", "Endpoints that an action needs", "Listen needs a local endpoint, Initiate a remote one, Rendezvous both"),
  acts("6.1", "WithHostName", "no name is looked up before an action, and none where an address is given"),
  acts("6.1", "WithPort", wrongEndpointTest),
  acts("6.1", "WithService", "a service name stands for its port", "IANA names"),
  acts("6.1", "WithIPAddress", "an address is canonical however it was given, and a host that is an address is one"),
  acts("6.1", "WithInterface", "a scoped address equals an address with an interface, and a contradiction is refused"),
  acts("6.1", "Resolve", "Resolve answers concrete endpoints on both sides"),
  acts("6.1.1", "WithMulticastGroupIP, WithHopLimit", multicastOutTest),
  acts("6.1.1", "WithAnySourceMulticastGroupIP", multicastInTest),
  acts("6.1.1", "WithSingleSourceMulticastGroupIP", multicastInTest),
  acts(
    "6.1.2",
    "Constraining interfaces",
    "a local endpoint binds the Connection, and one on a prohibited interface is a contradiction",
  ),
  acts("6.1.3", "WithProtocol", "an endpoint for one protocol is used by that protocol alone"),
  answers("6.1.4", "WithStunServer", "a STUN server is refused rather than ignored", "nothing here speaks STUN yet"),
  acts("6.2.1", "reliability", preferencesTest),
  acts(
    "6.2.2",
    "preserveMsgBoundaries",
    "a framer keeps Messages apart over TCP, and so satisfies who requires boundaries",
  ),
  acts(
    "6.2.3",
    "perMsgReliability",
    "perMsgReliability: a single Message of a reliable Connection may be unreliable, and the reverse",
    "QUIC, without preserveOrder",
  ),
  acts("6.2.4", "preserveOrder", preferencesTest),
  acts("6.2.5", "zeroRttMsg", preferencesTest),
  acts("6.2.6", "multistreaming", "multistreaming decides between QUIC and TLS: required and prohibited"),
  acts("6.2.7", "fullChecksumSend", preferencesTest),
  acts("6.2.8", "fullChecksumRecv", preferencesTest),
  acts("6.2.9", "congestionControl", preferencesTest),
  acts("6.2.10", "keepAlive", keepAliveTest),
  acts(
    "6.2.11",
    "interface",
    "the interface property chooses the path: required, prohibited, preferred and avoided, by name and by type",
  ),
  answers(
    "6.2.12",
    "pvd",
    "a required provisioning domain is refused, since no host knows one",
    "no host tells of provisioning domains",
  ),
  acts(
    "6.2.13",
    "useTemporaryLocalAddress",
    "useTemporaryLocalAddress requires and prohibits temporary addresses, excludes IPv4 when required, and reads back",
  ),
  acts(
    "6.2.14",
    "multipath",
    "multipath disabled rules migration out: endpoints are refused, and the peer is told not to move",
    "QUIC migrates, which is multipath's limited form (RFC 9623 §7.2); other stacks answer that they cannot",
  ),
  acts(
    "6.2.15",
    "advertisesAltaddr",
    "advertisesAltaddr: a Listener's other address is told to clients, who go there if they may move",
    "QUIC's preferred address; other stacks answer that they cannot",
  ),
  acts("6.2.16", "direction", "direction takes the other direction away, at both ends of the API"),
  acts("6.2.17", "softErrorNotify", "a SoftError is told on a Connection that lives on: nobody listens at a UDP port"),
  acts("6.2.18", "activeReadBeforeSend", preferencesTest),
  acts(
    "6.3",
    "NewSecurityParameters",
    "a secure Preconnection with nothing but trust set becomes a TLS 1.3 Connection, and echoes",
  ),
  acts("6.3", "NewDisabledSecurityParameters", listenTest),
  acts(
    "6.3",
    "NewOpportunisticSecurityParameters",
    "opportunistic security takes any certificate, and cleartext only where the peer has no TLS at all",
    "a Listener secures; it does not take both on one port",
  ),
  acts(
    "6.3.1",
    "allowedSecurityProtocols",
    "allowed versions bind both ends: 1.2 alone gives 1.2, and disjoint versions fail as incompatible",
  ),
  acts("6.3.2", "serverCertificate", "an identity for the server's role is never shown by a client"),
  acts("6.3.2", "clientCertificate", clientCertificateTest),
  acts("6.3.3", "pinnedServerCertificate", "pins: the right key is trusted without any authority, a wrong one fails"),
  acts("6.3.4", "alpn", algorithmsTest),
  acts("6.3.5", "supportedGroup", algorithmsTest),
  acts("6.3.5", "ciphersuite", algorithmsTest),
  acts("6.3.5", "signatureAlgorithm", "signatureAlgorithms bound what the peer may sign with"),
  acts("6.3.6", "maxCachedSessions", resumedTest),
  acts("6.3.6", "cachedSessionLifetimeSeconds", "a cached session is not resumed after cachedSessionLifetimeSeconds"),
  acts("6.3.7", "preSharedKey", "a pre-shared key is enough for both ends"),
  acts(
    "6.3.8",
    "SetTrustVerificationCallback",
    "the application's verification is asked with the validated chain and may refuse it",
  ),
  acts("6.3.8", "SetIdentityChallengeCallback", clientCertificateTest),
  acts("7.1", "Initiate, Ready", "Sends before Ready are queued and leave in their order"),
  acts(
    "7.1",
    "EstablishmentError",
    "a refused connection is an EstablishmentError that carries the whole candidate tree",
  ),
  acts("7.1", "Initiate's timeout", "a timeout fails the establishment with its tree, and a signal aborts it"),
  acts("7.2", "Listen, ConnectionReceived, Stop, Stopped", "a full backlog aborts further Connections and counts them"),
  acts("7.2", "Remote endpoints of a Listener", "a Listener with a remote endpoint hears that peer alone"),
  acts(
    "7.2",
    "SetNewConnectionLimit",
    "a Listener delivers as many Connections as its limit says, and the others wait",
  ),
  acts(
    "7.3",
    "Rendezvous, RendezvousDone: connections",
    "Rendezvous over TCP: both ends meet in one Connection, whoever comes first",
  ),
  acts(
    "7.3",
    "Rendezvous, RendezvousDone: datagrams",
    "Rendezvous over UDP is done when a datagram has come from the peer, and fails in time if none does",
  ),
  acts(
    "7.3",
    "Rendezvous with a multicast group",
    "Rendezvous in an any-source group brings a sender and a listener; in a single-source one it fails",
    "UDP",
  ),
  acts(
    "7.3",
    "Preconnection.AddRemote",
    "changes to what a Preconnection was made of, or to it, do not reach what it began",
  ),
  acts("7.4", "Clone", cloneTest, "a stream with QUIC; elsewhere a new TCP connection or UDP port"),
  acts(
    "7.4",
    "Passive Connections of a group",
    "streams that the peer opens are Connections of the group for who listens to the session, and refused before",
    "`connection.listen()`",
  ),
  acts("7.4", "CloneError", "a clone that fails is an EstablishmentError of its own and a CloneError at its origin"),
  acts("7.4", "GroupedConnections", cloneTest),
  acts("7.5", "Connection.AddRemote, RemoveRemote", addRemoteTest),
  acts(
    "7.5",
    "Connection.AddLocal, RemoveLocal",
    "PathChange tells every Connection of the group of a handover, at both ends",
    "QUIC migrates; other stacks answer that they cannot",
  ),
  acts("8", "SetProperty, GetProperties", "SetProperty answers failures and does not end the Connection"),
  answers("8.1.1", "recvChecksumLen", unsupportedTest, "checksums always cover everything"),
  acts("8.1.2", "connPriority", schedulerTest),
  acts("8.1.3", "connTimeout", "connTimeout: data that makes no progress for so long end the Connection"),
  acts("8.1.4", "keepAliveTimeout", keepAliveTest),
  acts("8.1.5", "connScheduler", schedulerTest),
  acts(
    "8.1.6",
    "connCapacityProfile",
    "connCapacityProfile sets the DSCP where the network can, and answers unsupported where it cannot",
    "node:net and node:dgram cannot set a DSCP",
  ),
  acts(
    "8.1.7",
    "multipathPolicy",
    "a path from which nothing leaves any more is left for another that is known",
    "Handover, with QUIC; Interactive and Aggregate answer unsupported, since no stack uses several paths at once",
  ),
  answers("8.1.8", "minSendRate", rateTest, "nothing reserves capacity; it must not contradict maxSendRate"),
  answers("8.1.8", "minRecvRate", rateTest, "as minSendRate"),
  acts("8.1.8", "maxSendRate", "maxSendRate: no second carries more than the rate"),
  acts("8.1.8", "maxRecvRate", rateTest, "datagrams cannot be held back at their sender: unsupported there"),
  acts(
    "8.1.9",
    "groupConnLimit",
    "groupConnLimit: the peer adds so many Connections to a group, and further streams are reset",
    "QUIC; unsupported where there are no streams",
  ),
  acts("8.1.10", "isolateSession", resumedTest),
  acts("8.1.11.1", "connState", readOnlyTest),
  acts("8.1.11.2", "canSend", readOnlyTest),
  acts("8.1.11.3", "canReceive", readOnlyTest),
  acts("8.1.11.4", "singularTransmissionMsgMaxLen", singlePacketTest),
  acts("8.1.11.5", "sendMsgMaxLen", "a Message above sendMsgMaxLen is a SendError, and the Connection lives on"),
  acts("8.1.11.6", "recvMsgMaxLen", readOnlyTest),
  acts("8.2", "tcp.userTimeoutValue", userTimeoutTest, "node:net cannot set a user timeout"),
  answers("8.2", "tcp.userTimeoutEnabled", userTimeoutTest, "no host lets us send the option of RFC 5482"),
  acts("8.2", "tcp.userTimeoutChangeable", userTimeoutTest),
  acts("8.3.1", "SoftError", "a SoftError is told on a Connection that lives on: nobody listens at a UDP port"),
  acts(
    "8.3.2",
    "PathChange",
    "PathChange tells every Connection of the group of a handover, at both ends",
    "and that the path takes smaller packets, over UDP",
  ),
  acts(
    "9.1.1",
    "MessageContext",
    "a context can be used again, and what is added after a Send has no effect on that Send",
  ),
  acts("9.1.1", "GetRemoteEndpoint, GetLocalEndpoint", "metadata of a datagram: its endpoints and its ECN field"),
  acts(
    "9.1.2",
    "Message Framers",
    "any Messages, cut anywhere, come out of the length-prefixed framer as they went in (seed 9622)",
  ),
  acts("9.1.2.1", "AddFramer, and the order of framers", framingOrderTest),
  acts("9.1.2.2", "Framer metadata", "framer metadata has a name space for each framer"),
  acts("9.1.3", "Message Properties that contradict the Connection", contradictionTest),
  acts("9.1.3.1", "msgLifetime", "msgLifetime: what has not been sent in time expires, and is no error"),
  acts(
    "9.1.3.2",
    "msgPriority",
    "msgPriority: low goes first among what waits, and final goes last whatever its priority",
  ),
  acts("9.1.3.3", "msgOrdered", contradictionTest),
  acts("9.1.3.4", "safelyReplayable", "safelyReplayable: clearing it on a Message over UDP is a SendError"),
  acts("9.1.3.5", "final", finalTest),
  answers(
    "9.1.3.6",
    "msgChecksumLen",
    "a checksum over part of a Message is advice: all of it is protected",
    "checksums always cover everything, which the RFC allows",
  ),
  acts("9.1.3.7", "msgReliable", contradictionTest),
  acts(
    "9.1.3.8",
    "msgCapacityProfile",
    "msgCapacityProfile marks one datagram and gives the Connection's marking back",
  ),
  acts("9.1.3.9", "noFragmentation", singlePacketTest),
  acts("9.1.3.10", "noSegmentation", singlePacketTest),
  acts("9.2", "Send", "a TCP Connection echoes through a Listener, half-closes with a final Message, and closes"),
  acts("9.2.2", "Sent, Expired, SendError: one for each Send", orderTest),
  acts("9.2.3", "Partial Sends", piecesTest),
  acts("9.2.4", "StartBatch, EndBatch", "a batch goes down in one piece"),
  acts(
    "9.2.5",
    "InitiateWithSend",
    "InitiateWithSend carries a safely replayable Message as 0-RTT, flagged early at the receiver, and no other",
  ),
  acts(
    "9.2.5",
    "No SendError beside an EstablishmentError",
    "where the establishment fails, its Sends have no events of their own",
  ),
  acts(
    "9.2.6",
    "connPriority before msgPriority",
    "a Message of low priority on a Connection of high priority goes before the reverse",
  ),
  acts(
    "9.3.1",
    "Receive, minIncompleteLength, maxLength",
    "receive: whole Messages by default, pieces by max and by min, all of one Message with one context",
  ),
  acts("9.3.2.1", "Received", "receives are served in their order, and one that is taken back loses nothing"),
  acts(
    "9.3.2.2",
    "ReceivedPartial",
    "receive: whole Messages by default, pieces by max and by min, all of one Message with one context",
  ),
  acts("9.3.2.3", "ReceiveError", "a Message that the peer began and did not finish is a ReceiveError"),
  acts(
    "9.3.3.1",
    "ECN of datagrams",
    "metadata of a datagram: its endpoints and its ECN field",
    "node:dgram does not tell it: always 0 there",
  ),
  acts(
    "9.3.3.2",
    "Early data",
    "InitiateWithSend carries a safely replayable Message as 0-RTT, flagged early at the receiver, and no other",
  ),
  acts("9.3.3.3", "Receiving final Messages", finalTest),
  acts("10", "Close, Closed", "Close delivers what was sent before it, and takes nothing more"),
  acts(
    "10",
    "Abort, ConnectionError",
    "Abort ends at once with a ConnectionError that names us, and the peer hears of a reset",
  ),
  acts("10", "CloseGroup, AbortGroup", groupTest),
  acts("10", "A peer that says nothing", "a peer that does not end its direction does not keep us from closing"),
  acts("11", "States and the order of events", orderTest),
  acts(
    "13",
    "Events for logs",
    inactiveTest,
    "`taps:` trace events of establishment and of properties that are not honoured",
  ),
  acts(
    "6.1",
    "SRV records behind WithService",
    "an SRV name is looked up when an action is called, and stands for its targets and their ports",
    "not inside tunnels",
  ),
  acts("B.2", "Profiles", "the profiles have the values of Appendix B.2"),
];

/** docs/conformance.md. */
export function conformancePage(): string {
  const count = (state: ConformanceRow["state"]) => conformanceRows.filter((row) => row.state === state).length;
  return [
    "# Conformance with RFC 9622",
    "",
    "*Generated by `npm run docs`; a test holds it equal to the code.*",
    "",
    "What became of each object, action, event and property of the abstract API. *acts*: it changes what happens, and the",
    "named test shows the change. *answers*: it cannot act here (yet), and asking for it is answered so, never ignored.",
    `${count("acts")} act, ${count("answers")} answer.`,
    "",
    "| § | item | state | test | note |",
    "| --- | --- | --- | --- | --- |",
    ...conformanceRows.map(
      ({ section, item, state, test, note = "" }) => `| ${section} | ${item} | ${state} | ${test} | ${note} |`,
    ),
    "",
  ].join("\n");
}
