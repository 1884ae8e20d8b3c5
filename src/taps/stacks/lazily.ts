import type { ProtocolStack, StackCode } from "./stack.js";

/**
 * The half of a row that runs, loaded when a Connection first wants it: who never uses a protocol does not pay for its
 * code. All that chooses among stacks is in the other half, so that nothing is loaded only to be passed over.
 */
export function lazily(load: () => Promise<StackCode>): Pick<Required<ProtocolStack>, "load" | "open" | "listen"> {
  let code: StackCode | undefined;
  let loading: Promise<void> | undefined;
  const loaded = async (): Promise<void> => {
    code = await load();
  };
  return {
    load() {
      return code === undefined ? (loading ??= loaded()) : undefined;
    },
    open(request) {
      if (code === undefined) throw new Error("its code has not been loaded");
      return code.open(request);
    },
    async listen(request) {
      if (code === undefined) await (loading ??= loaded());
      return code!.listen(request);
    },
  };
}
