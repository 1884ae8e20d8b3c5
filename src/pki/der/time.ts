import { DecodeError } from "../../bytes/index.js";

/** `YYMMDDHHMMSSZ`; two-digit years are 1950 … 2049 (RFC 5280 §4.1.2.5.1). Milliseconds since the Unix epoch. */
export function utcTime(content: Uint8Array): number {
  const digits = digitsOf(content, 12);
  const year = two(digits, 0);
  return instant(year >= 50 ? 1900 + year : 2000 + year, digits, 2);
}

/** `YYYYMMDDHHMMSSZ`, no fractions (RFC 5280 §4.1.2.5.2). Milliseconds since the Unix epoch. */
export function generalizedTime(content: Uint8Array): number {
  const digits = digitsOf(content, 14);
  return instant(two(digits, 0) * 100 + two(digits, 2), digits, 4);
}

/** The text of an instant in the form that its year wants: UTCTime through 2049. */
export function timeText(at: number): { readonly generalized: boolean; readonly text: string } {
  const [date, clock] = new Date(at).toISOString().split("T") as [string, string];
  const long = `${date.replaceAll("-", "")}${clock.slice(0, 8).replaceAll(":", "")}Z`;
  const year = Number(long.slice(0, 4));
  return year >= 1950 && year < 2050 ? { generalized: false, text: long.slice(2) } : { generalized: true, text: long };
}

function digitsOf(content: Uint8Array, count: number): Uint8Array {
  if (content.length !== count + 1 || content[count] !== 0x5a)
    throw new DecodeError("a time not in the form of RFC 5280");
  for (let i = 0; i < count; i++)
    if (content[i]! < 0x30 || content[i]! > 0x39) throw new DecodeError("a time that is no digits");
  return content;
}

const two = (digits: Uint8Array, at: number): number => (digits[at]! - 0x30) * 10 + digits[at + 1]! - 0x30;

function instant(year: number, digits: Uint8Array, at: number): number {
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((offset) => two(digits, at + offset)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const days = new Date(Date.UTC(2000, month, 0)).getUTCDate();
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const daysMax = month === 2 ? (leap ? 29 : 28) : days;
  if (month < 1 || month > 12 || day < 1 || day > daysMax || hour > 23 || minute > 59 || second > 59) {
    throw new DecodeError("a time that does not exist");
  }
  // Date.UTC takes years below 100 as 19xx
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.setUTCHours(hour, minute, second, 0);
}
