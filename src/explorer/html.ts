/** Text as HTML and SVG take it, in elements and in quoted attributes. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** Milliseconds for people: whole ones, or tenths. */
export const showMs = (ms: number): string => `${Math.round(ms * 10) / 10} ms`;
