import { Bbr, type ControllerFactory, Cubic, NewReno } from "../../../mechanisms/congestion/index.js";

/** Ways to keep from congesting a path, by name (§5.9: any of TCP's). */
export const controllers = {
  cubic: (packetSize) => new Cubic(packetSize),
  "new-reno": (packetSize) => new NewReno(packetSize),
  bbr: (packetSize) => new Bbr(packetSize),
} as const satisfies Readonly<Record<string, ControllerFactory>>;

export type ControllerName = keyof typeof controllers;
export const controllerNames = Object.keys(controllers) as readonly ControllerName[];
