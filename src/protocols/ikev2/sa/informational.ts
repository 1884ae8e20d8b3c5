import type { Instant, SocketAddress } from "../../../contract/index.js";
import { failure } from "../failure.js";
import { readRedirect, redirectData } from "../redirect.js";
import { all, notified, notify } from "../wire/find.js";
import { Exchange, Notify, Protocol } from "../wire/numbers.js";
import type { Payload } from "../wire/payloads.js";
import type { IkeSa } from "./ike-sa.js";
import { detectNat, natDetection } from "./init.js";
import { redirect } from "./initiator.js";

/** INFORMATIONAL exchanges: ends, signs of life, and moves (RFC 7296 §1.4, RFC 4555). */
export class Informational {
  readonly #sa: IkeSa;

  constructor(sa: IkeSa) {
    this.#sa = sa;
  }

  // ----------------------------------------------------------------------------------------------------------- requests

  /** Is the peer alive (§2.4)? */
  probe(now: Instant): void {
    this.#sa.requests.add(
      request(() => []),
      now,
    );
  }

  /** Deletes the IKE SA, and with it its children (§1.4.1). The answer, or its absence, ends it. */
  remove(now: Instant): void {
    const sa = this.#sa;
    sa.requests.drop();
    const why = failure("closed-locally", "it was closed here");
    sa.requests.add(
      request(
        () => [{ kind: "D", protocol: Protocol.IKE, spis: [] }],
        (_, at) => sa.end(why, at),
      ),
      now,
    );
  }

  /**
   * We are elsewhere, or the peer is to be reached elsewhere (RFC 4555 §3.5). The path changes at once; the peer learns of it from this
   * message, and what is unanswered goes by it again.
   */
  move(to: { readonly local?: SocketAddress; readonly remote?: SocketAddress }, now: Instant): void {
    const sa = this.#sa;
    const remote = to.remote ?? sa.path.remote;
    sa.moveTo({ ...sa.path, remote, local: to.local ?? sa.path.local }, now);
    if (!sa.mobike || !sa.isOriginator) return;
    sa.requests.repeat(now);
    sa.requests.add(
      request(
        () => [notify(Notify.UPDATE_SA_ADDRESSES), ...natDetection(sa, sa.spiResponder)],
        (payloads, at) => {
          detectNat(sa, payloads, sa.path, sa.spiResponder);
          sa.keepAlive(at);
        },
      ),
      now,
    );
  }

  redirect(to: string, now: Instant): void {
    this.#sa.requests.add(
      request(() => [notify(Notify.REDIRECT, { data: redirectData(to) })]),
      now,
    );
  }

  // ---------------------------------------------------------------------------------------------------------- responses

  requested(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const deletions = all(payloads, "D");
    if (deletions.some(({ protocol }) => protocol === Protocol.IKE)) {
      sa.respond([], now);
      return void sa.end(failure("closed-by-peer", "the peer closed it", { at: "D", byPeer: true }), now);
    }
    const answer: Payload[] = [];
    for (const deletion of deletions)
      if (deletion.protocol === Protocol.ESP) answer.push(...sa.children.deleted(deletion));
    // RFC 4555 §3.7: it comes back as it came.
    const cookie = notified(payloads, Notify.COOKIE2);
    if (cookie?.data !== undefined) answer.push(notify(Notify.COOKIE2, { data: cookie.data }));
    if (notified(payloads, Notify.NAT_DETECTION_SOURCE_IP)) answer.push(...this.#addresses(payloads, now));
    sa.respond(answer, now);
    const to = notified(payloads, Notify.REDIRECT)?.data;
    if (to !== undefined && sa.isOriginator) redirect(sa, readRedirect(to, 0)?.gateway, 0, now);
  }

  #addresses(payloads: readonly Payload[], now: Instant): readonly Payload[] {
    const sa = this.#sa;
    const path = sa.responses.path ?? sa.path;
    const isUpdate = notified(payloads, Notify.UPDATE_SA_ADDRESSES) !== undefined && sa.mobike && !sa.isOriginator;
    if (notified(payloads, Notify.NO_NATS_ALLOWED)) return [notify(Notify.UNEXPECTED_NAT_DETECTED)];
    if (isUpdate) {
      sa.moveTo(path, now);
      detectNat(sa, payloads, path, sa.spiResponder);
      sa.keepAlive(now);
    }
    return natDetection(sa, sa.spiResponder);
  }
}

const request = (
  begin: () => readonly Payload[] | undefined,
  responded: (payloads: readonly Payload[], now: Instant) => void = () => undefined,
) => ({ exchange: Exchange.INFORMATIONAL, begin, responded });
