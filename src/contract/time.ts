/**
 * A moment, in milliseconds since the Unix epoch; fractions count. A host never lets it go backwards while a process
 * lives, so differences are durations, and it is near enough to wall-clock time for certificates and tickets.
 */
export type Instant = number;

/** Source of the present moment. Only hosts have one; machines are told the time. */
export interface Clock {
  now(): Instant;
}

/** The earlier of two optional moments, for machines that are made of machines. */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b;
  return b === undefined || a <= b ? a : b;
}
