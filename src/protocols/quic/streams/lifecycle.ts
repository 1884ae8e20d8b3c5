/** The sending part of a stream: RFC 9000 §3.1, figure 2. */
export const sending = {
  ready: { sendData: "send", sendReset: "resetSent" },
  send: { sendFin: "dataSent", sendReset: "resetSent" },
  dataSent: { allAcked: "dataReceived", sendReset: "resetSent" },
  resetSent: { resetAcked: "resetReceived" },
  dataReceived: {},
  resetReceived: {},
} as const;

/** The receiving part: §3.2, figure 3. A reset that comes after all data is not told, which the figure leaves open. */
export const receiving = {
  receive: { receiveFin: "sizeKnown", receiveReset: "resetReceived" },
  sizeKnown: { allReceived: "dataReceived", receiveReset: "resetReceived" },
  dataReceived: { allRead: "dataRead" },
  resetReceived: { resetRead: "resetRead" },
  dataRead: {},
  resetRead: {},
} as const;

export type SendState = keyof typeof sending;
export type ReceiveState = keyof typeof receiving;
export type SendStep = "sendData" | "sendFin" | "sendReset" | "allAcked" | "resetAcked";
export type ReceiveStep = "receiveFin" | "receiveReset" | "allReceived" | "allRead" | "resetRead";

/** The state after a step; the same state if it has no such step. */
export const stepSending = (state: SendState, step: SendStep): SendState =>
  (sending[state] as Partial<Record<SendStep, SendState>>)[step] ?? state;

export const stepReceiving = (state: ReceiveState, step: ReceiveStep): ReceiveState =>
  (receiving[state] as Partial<Record<ReceiveStep, ReceiveState>>)[step] ?? state;
