import { DecodeError, fromUtf8 } from "../../bytes/index.js";
import { type Element, Tag } from "./reader.js";

/** Text of a character string, its alphabet checked; undefined for an element of another type. */
export function stringText({ tag, content }: Element): string | undefined {
  const read = readers[tag];
  if (!read) return undefined;
  const text = read(content);
  if (text === undefined) throw new DecodeError("a string outside its alphabet");
  return text;
}

/** Seven-bit text (IA5String), undefined if a byte has the eighth bit. */
export function asciiText(content: Uint8Array): string | undefined {
  let text = "";
  for (const byte of content) {
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

const latin1 = (content: Uint8Array): string => {
  let text = "";
  for (const byte of content) text += String.fromCharCode(byte);
  return text;
};

function matching(pattern: RegExp): (content: Uint8Array) => string | undefined {
  return (content) => {
    const text = latin1(content);
    return pattern.test(text) ? text : undefined;
  };
}

function wide(width: 2 | 4): (content: Uint8Array) => string | undefined {
  return (content) => {
    if (content.length % width !== 0) return undefined;
    let text = "";
    for (let at = 0; at < content.length; at += width) {
      let point = 0;
      for (let i = 0; i < width; i++) point = point * 256 + content[at + i]!;
      if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
      text += String.fromCodePoint(point);
    }
    return text;
  };
}

const readers: Readonly<Record<number, (content: Uint8Array) => string | undefined>> = {
  [Tag.utf8String]: fromUtf8,
  [Tag.numericString]: matching(/^[0-9 ]*$/),
  // X.680 §41.4; and * _ @ &, which CAs have long written into it
  [Tag.printableString]: matching(/^[A-Za-z0-9 '()+,\-./:=?*_@&]*$/),
  // T.61 in name; Latin-1 in what CAs really wrote
  [Tag.teletexString]: latin1,
  [Tag.ia5String]: asciiText,
  [Tag.visibleString]: matching(/^[\x20-\x7e]*$/),
  [Tag.universalString]: wide(4),
  [Tag.bmpString]: wide(2),
};
