import { refuse } from "../failure.js";
import { type Message, messageName } from "../messages/handshake.js";

/** The body, if the message is of this type; RFC 9846 §4: anything else is unexpected_message. */
export function expect(message: Message, type: number): Uint8Array {
  if (message.type !== type) {
    refuse("unexpected-message", messageName(type), `${messageName(message.type)} came instead`);
  }
  return message.body;
}
