export { type Forward, type ForwardSpec, forwardLocal, forwardRemote, parseForward } from "./port-forward.js";
export { authorityOf, type ProxyOptions, ProxyServer } from "./proxy.js";
export type { Credentials } from "./socks.js";
export { relay, type Way } from "./way.js";
