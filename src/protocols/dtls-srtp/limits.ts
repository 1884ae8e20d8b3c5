/** Milliseconds before and after the present for which a session's certificate is valid: clocks differ. */
export const certificateLifetimeMs = 30 * 86_400_000;
