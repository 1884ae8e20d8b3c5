/** Headers as associated data, in memory that is used again: one view for each size that occurs. */
const kept: (Uint8Array | undefined)[] = [];
/** Longer headers have tokens in them, and are rare. */
const keptSizeMax = 64;

/** The header `bytes[at … at+size)` in a view of its own, good until the next call with the same size. */
export function associated(bytes: Uint8Array, at: number, size: number): Uint8Array {
  if (size > keptSizeMax) return bytes.subarray(at, at + size);
  let view = kept[size];
  if (view === undefined) kept[size] = view = new Uint8Array(size);
  for (let i = 0; i < size; i++) view[i] = bytes[at + i]!;
  return view;
}
