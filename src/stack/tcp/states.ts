/**
 * The connection's lifecycle, to be read beside RFC 9293 §3.3.2, Figure 5. What happens in a state is in arrival.ts;
 * what may follow it is here, and nothing else may.
 */
export const transitions = {
  closed: { open: "synSent", accept: "synReceived" },
  synSent: { synAck: "established", syn: "synReceived", abandon: "closed" },
  synReceived: { acknowledged: "established", abandon: "closed" },
  established: { finish: "finWait1", fin: "closeWait", abandon: "closed" },
  finWait1: { acknowledged: "finWait2", fin: "closing", abandon: "closed" },
  finWait2: { fin: "timeWait", abandon: "closed" },
  closeWait: { finish: "lastAck", abandon: "closed" },
  closing: { acknowledged: "timeWait", abandon: "closed" },
  lastAck: { acknowledged: "closed", abandon: "closed" },
  timeWait: { abandon: "closed" },
} as const;

export type TcpState = keyof typeof transitions;
export type TcpTransition = { [S in TcpState]: keyof (typeof transitions)[S] }[TcpState];

/** The next state; undefined if the step is none of this state's. */
export function follow(state: TcpState, step: TcpTransition): TcpState | undefined {
  return (transitions[state] as Partial<Record<TcpTransition, TcpState>>)[step];
}
