import type { Entropy } from "../../../contract/index.js";
import { Bbr, type CongestionController, Cubic, NewReno } from "../../../mechanisms/congestion/index.js";
import { Chicago } from "./chicago.js";

/** Ways to keep from congesting a path, by name: the reference's own, and those of TCP and QUIC here. */
export const controllers = {
  chicago: (packetSize: number, entropy: Entropy): CongestionController => new Chicago(packetSize, entropy),
  cubic: (packetSize: number): CongestionController => new Cubic(packetSize),
  "new-reno": (packetSize: number): CongestionController => new NewReno(packetSize),
  bbr: (packetSize: number): CongestionController => new Bbr(packetSize),
} as const;

export type ControllerName = keyof typeof controllers;
export const controllerNames = Object.keys(controllers) as readonly ControllerName[];
