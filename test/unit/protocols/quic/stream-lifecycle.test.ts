import assert from "node:assert/strict";
import { test } from "node:test";
import { receiving, sending, stepReceiving, stepSending } from "../../../../src/protocols/quic/streams/lifecycle.js";

/** RFC 9000, figure 2, arrow by arrow. */
const figure2 = `
  Ready        --Send STREAM / STREAM_DATA_BLOCKED--> Send
  Ready        --Send RESET_STREAM--> Reset Sent
  Send         --Send STREAM + FIN--> Data Sent
  Send         --Send RESET_STREAM--> Reset Sent
  Data Sent    --Send RESET_STREAM--> Reset Sent
  Data Sent    --Recv All ACKs--> Data Recvd
  Reset Sent   --Recv ACK--> Reset Recvd
`;

/** Figure 3, without the two optional arrows between Data Recvd and Reset Recvd. */
const figure3 = `
  Recv         --Recv STREAM + FIN--> Size Known
  Recv         --Recv RESET_STREAM--> Reset Recvd
  Size Known   --Recv All Data--> Data Recvd
  Size Known   --Recv RESET_STREAM--> Reset Recvd
  Data Recvd   --App Read All Data--> Data Read
  Reset Recvd  --App Read Reset--> Reset Read
`;

const states: Readonly<Record<string, string>> = {
  ready: "Ready",
  send: "Send",
  dataSent: "Data Sent",
  resetSent: "Reset Sent",
  receive: "Recv",
  sizeKnown: "Size Known",
  dataReceived: "Data Recvd",
  resetReceived: "Reset Recvd",
  dataRead: "Data Read",
  resetRead: "Reset Read",
};

const steps: Readonly<Record<string, string>> = {
  sendData: "Send STREAM / STREAM_DATA_BLOCKED",
  sendFin: "Send STREAM + FIN",
  sendReset: "Send RESET_STREAM",
  allAcked: "Recv All ACKs",
  resetAcked: "Recv ACK",
  receiveFin: "Recv STREAM + FIN",
  receiveReset: "Recv RESET_STREAM",
  allReceived: "Recv All Data",
  allRead: "App Read All Data",
  resetRead: "App Read Reset",
};

const arrows = (table: Readonly<Record<string, Readonly<Record<string, string>>>>): string[] =>
  Object.entries(table)
    .flatMap(([from, out]) =>
      Object.entries(out).map(([step, to]) => `${states[from]} --${steps[step]}--> ${states[to]}`),
    )
    .sort();

const drawn = (figure: string): string[] =>
  figure
    .trim()
    .split("\n")
    .map((line) => line.trim().replace(/ {2,}/, " "))
    .sort();

test("the sending part is figure 2 of RFC 9000", () => assert.deepEqual(arrows(sending), drawn(figure2)));

test("the receiving part is figure 3 of RFC 9000", () => assert.deepEqual(arrows(receiving), drawn(figure3)));

test("a step that a state does not have leaves it", () => {
  assert.equal(stepSending("dataReceived", "sendReset"), "dataReceived");
  assert.equal(stepSending("ready", "sendFin"), "ready");
  assert.equal(stepReceiving("dataRead", "receiveReset"), "dataRead");
  assert.equal(stepReceiving("receive", "receiveFin"), "sizeKnown");
});
