import { type Suite12, type Suite12Name, suite12ByName } from "./suites12.js";
import { type Suite13, type Suite13Name, suite13ByName } from "./suites13.js";

/** Every cipher suite there is here; `version` tells which half a row belongs to. */
export type Suite = Suite13 | Suite12;
export type SuiteName = Suite13Name | Suite12Name;

export const suiteByName = (name: string): Suite | undefined => suite13ByName.get(name) ?? suite12ByName.get(name);
