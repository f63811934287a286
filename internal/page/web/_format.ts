// How a card number stands in its field: digits in groups, and the caret where
// the person left it. Pure functions, so that tests need no browser.

import { brandOf, maxDigits } from "./_brands";
import { digitsOf } from "./_digits";

const standard = [4, 4, 4, 4, 3];

// group puts spaces between the groups of a brand; a longer number goes on in
// fours.
export function group(digits: string, groups: number[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const size of groups) {
    if (at >= digits.length) break;
    parts.push(digits.slice(at, at + size));
    at += size;
  }
  while (at < digits.length) {
    parts.push(digits.slice(at, at + 4));
    at += 4;
  }
  return parts.join(" ");
}

export interface Edit {
  value: string;
  caret: number;
}

// reformat regroups what stands in the field after an edit. The caret keeps its
// place among the digits; after something was put in, it steps over a space that
// follows.
export function reformat(text: string, caret: number, inserted: boolean): Edit {
  const digits = digitsOf(text).slice(0, maxDigits);
  const before = Math.min(digitsOf(text.slice(0, caret)).length, digits.length);
  const value = group(digits, brandOf(digits)?.brand.groups ?? standard);
  let at = 0;
  for (let seen = 0; seen < before; at++) if (value[at] !== " ") seen++;
  if (inserted && value[at] === " ") at++;
  return { value, caret: at };
}

// withoutNeighbour is the field after Backspace or Delete took only a space
// away: the digit beside it goes instead. was is the field before.
export function withoutNeighbour(was: string, caret: number, forward: boolean): Edit {
  const cut = forward ? caret + 1 : caret - 2;
  return reformat(was.slice(0, cut) + was.slice(cut + 1), forward ? caret : cut, false);
}

// expiry is how an expiry date stands in its field: "MM / YY". deleting leaves a
// separator away that nobody typed.
export function expiry(text: string, deleting: boolean): string {
  const typed = text.replace(/\s/g, "");
  if (/[-–]/.test(typed)) return text; // 2030-10 and the like are read, not rewritten
  let digits = digitsOf(typed).slice(0, 6);
  if (/^[2-9]/.test(digits)) digits = "0" + digits;
  const slash = /^\d\//.test(typed);
  if (slash) digits = "0" + digitsOf(typed).slice(0, 5);
  if (digits.length < 2 || (digits.length === 2 && deleting)) return digits;
  const rest = digits.slice(2);
  if (rest === "" && !slash && !typed.includes("/") && deleting) return digits;
  return digits.slice(0, 2) + " / " + rest;
}

// readExpiry reads every form people use (10/30, 10 / 30, 1030, 102030, 10-2030,
// 2030-10, 1/30).
export function readExpiry(text: string): { month: number; year: number } | undefined {
  const parts = text.split(/[^\p{Nd}]+/u).map(digitsOf).filter(Boolean);
  let [month = "", year = ""] = parts;
  if (parts.length === 1) [month, year] = [month.slice(0, 2), month.slice(2)];
  if (parts.length > 2) return undefined;
  if (month.length === 4) [month, year] = [year, month];
  if (month.length > 2 || (year.length !== 2 && year.length !== 4)) return undefined;
  return { month: +month, year: year.length === 2 ? 2000 + +year : +year };
}

// expired reports whether a month has ended everywhere on earth (UTC-12), where
// the last day ends twelve hours later than in UTC.
export function expired(month: number, year: number, now: Date): boolean {
  return now.getTime() >= Date.UTC(year, month, 1, 12);
}
