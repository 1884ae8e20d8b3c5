/** A reporter that writes the files in which a test failed, a line each. */
export default async function* failedFiles(events) {
  const said = new Set();
  for await (const { type, data } of events) {
    if (type !== "test:fail" || data.file === undefined || said.has(data.file)) continue;
    said.add(data.file);
    yield `${data.file}\n`;
  }
}
