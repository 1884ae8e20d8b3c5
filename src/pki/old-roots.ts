/**
 * Roots that browsers and systems trust and that are older than the rules they break: keys (as RFC 7469 pins), names, and
 * what is wrong with them. The rules hold for every other anchor; these are let off by their keys, one by one.
 */
export const oldRoots: ReadonlyMap<string, string> = new Map([
  ["FfFKxFycfaIz00eRZOgTf+Ne4POK6FgYPwhBDqgqxLQ=", "Starfield Class 2 (2004): basicConstraints not critical"],
  ["VjLZe/p3W/PJnd6lL8JVNBCGQBZynFLdZSTIqcO0SJ8=", "Go Daddy Class 2 (2004): basicConstraints not critical"],
  ["YlVMFwBVQ7I3IV8EJo3NL9HEcCQK08hmDiWuLFljD1U=", "ePKI Root (2004): basicConstraints not critical"],
  ["NsIjFBMaX78bcOpMz0vBOnd9k47GXh2iTjws/QHT0WM=", "Hongkong Post Root CA 1 (2003): no subjectKeyIdentifier"],
  ["xES1tmzl1x4bXkDyc4XJXL/SSgW1b3DKwJkvD1DDN5w=", "TWCA Global Root (2012): no subjectKeyIdentifier"],
  ["j9ESw8g3DxR9XM06fYZeuN1UB4O6xp/GAIjjdD/zM3g=", "QuoVadis Root CA 2 (2006): authorityCertIssuer"],
  ["DHrKpxAiZyC7yUA0nuLmFIZSqJ2/QGojLIlfbceOu5o=", "QuoVadis Root CA 3 (2006): authorityCertIssuer"],
  ["UQ0g5cR/Y89mayD2GvYrwJmkKsgk/6RDotp8kLGAipE=", "Certigna (2007): authorityCertIssuer"],
]);
