const calls = new Set<() => void>();

/** Calls when the process ends; one listener for all, however many programs and folders there are. Answers how to take it back. */
export function atExit(call: () => void): () => void {
  if (calls.size === 0) process.once("exit", run);
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size === 0) process.off("exit", run);
  };
}

function run(): void {
  for (const call of calls) call();
}
