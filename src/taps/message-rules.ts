import { SendError } from "./failure.js";
import type { Line } from "./line.js";
import type { MessageContext } from "./message.js";
import type { MessageProperties, PreferenceName } from "./properties.js";

/**
 * Throws the SendError of a Message whose properties contradict the Connection (RFC 9622 §9.1.3), or that is too large
 * for it (§9.2.1).
 */
export function checkMessage(
  line: Line,
  data: Uint8Array,
  properties: MessageProperties,
  context: MessageContext,
): void {
  const { provides, name, dataUnit } = line.stack;
  const contradicts = (property: PreferenceName, at: keyof MessageProperties) => {
    throw new SendError({
      reason: "invalid-message-properties",
      message: `${name} does not allow ${at} = ${String(properties[at])}`,
      at,
      hint: `it stands in contradiction to ${property}`,
    });
  };
  if (context.get("msgReliable") === true && provides.reliability === "never")
    contradicts("reliability", "msgReliable");
  if (
    context.get("msgReliable") === false &&
    provides.perMsgReliability === "never" &&
    provides.reliability === "always"
  ) {
    contradicts("perMsgReliability", "msgReliable");
  }
  if (context.get("msgOrdered") === true && provides.preserveOrder === "never")
    contradicts("preserveOrder", "msgOrdered");
  if (!properties.safelyReplayable && provides.reliability === "never") contradicts("reliability", "safelyReplayable");
  const { transport } = line;
  if (data.length > transport.sendMax) {
    throw new SendError({
      reason: "message-too-large",
      message: `${data.length} bytes are more than the ${transport.sendMax} that ${name} can send at once`,
      at: "sendMsgMaxLen",
    });
  }
  const single = transport.singularMax;
  const mayNotSplit = properties.noSegmentation || (properties.noFragmentation && dataUnit === "message");
  if (mayNotSplit && single !== undefined && data.length > single) {
    throw new SendError({
      reason: "message-too-large",
      message: `${data.length} bytes do not fit one packet of ${single}`,
      at: properties.noSegmentation ? "noSegmentation" : "noFragmentation",
    });
  }
}
