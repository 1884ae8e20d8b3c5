/** A receive window that is used up in fewer round trips than this is too small for its path, and doubles. */
export const tuneRoundTrips = 2;
/** A connection's window is at least so many times that of its greatest stream, so that one stream cannot starve it. */
export const connectionFactor = 1.5;
/** What windows may grow to, unless the application says otherwise. */
export const connectionWindowMaxDefault = 25_165_824;
export const streamWindowMaxDefault = 16_777_216;
