/**
 * The words of one line, as openvpn(8) splits them: white space between, `#` and `;` begin a comment, quotes of either kind hold
 * words together, a backslash outside single quotes takes the next character as it is. Undefined for an open quote.
 */
export function wordsOf(line: string): string[] | undefined {
  const words: string[] = [];
  let word = "";
  let isOpen = false;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && i + 1 < line.length) word += line[++i]!;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      isOpen = true;
    } else if (char === "\\" && i + 1 < line.length) {
      word += line[++i]!;
      isOpen = true;
    } else if (/\s/.test(char)) {
      if (isOpen) words.push(word);
      word = "";
      isOpen = false;
    } else if ((char === "#" || char === ";") && !isOpen) break;
    else {
      word += char;
      isOpen = true;
    }
  }
  if (quote !== "") return undefined;
  if (isOpen) words.push(word);
  return words;
}
