// What a card number is, by the table the server uses too: package card's
// brands.json. The rules here are those of its table.go and number.go.

import table from "../../card/brands.json";

export interface Brand {
  id: string;
  name: string;
  codeLength: number;
  groups: number[];
}

interface Rule {
  brand: Brand;
  digits: number; // of the bounds
  low: number;
  high: number;
  lengths: number[];
  luhn: boolean;
  fallback: boolean;
}

export const maxDigits = 19; // ISO/IEC 7812

// rules stand as in the table: the longest prefix first, then the order of the
// brands, which puts the more specific one first.
const rules: Rule[] = table.brands
  .flatMap((b) => {
    const brand = { id: b.id, name: b.name, codeLength: b.code.length, groups: b.groups };
    return b.series.flatMap((s: { prefixes: string[]; lengths: number[]; luhn?: boolean; fallback?: boolean }) =>
      s.prefixes.map((p) => {
        const [low, high = low] = p.split("-") as [string, string?];
        return { brand, digits: low.length, low: +low, high: +high, lengths: s.lengths, luhn: s.luhn ?? true, fallback: s.fallback ?? false };
      }),
    );
  })
  .sort((a, b) => b.digits - a.digits);

// claims are the rules that claim a number, its own brand's first.
function claims(digits: string): Rule[] {
  const found: Rule[] = [];
  for (const r of rules) {
    if (digits.length < r.digits) continue;
    const prefix = +digits.slice(0, r.digits);
    if (prefix < r.low || prefix > r.high) continue;
    if (r.fallback && found.length > 0) continue;
    if (!found.some((f) => f.brand.id === r.brand.id)) found.push(r);
  }
  return found;
}

// mayBecome reports whether more digits could bring a longer prefix of another
// brand into play.
function mayBecome(digits: string, rule?: Rule): boolean {
  return rules.some((r) => {
    if (r.brand.id === rule?.brand.id || r.digits <= digits.length) return false;
    const cut = 10 ** (r.digits - digits.length);
    const prefix = +digits;
    return Math.floor(r.low / cut) <= prefix && prefix <= Math.floor(r.high / cut);
  });
}

// Found is the brand a number belongs to as far as it was typed, and whether it
// can only be that one. all has the ids of others too that a card of several
// schemes belongs to.
export interface Found {
  brand: Brand;
  certain: boolean;
  all: string[];
}

export function brandOf(digits: string): Found | undefined {
  const found = claims(digits);
  const [rule] = found;
  return rule && { brand: rule.brand, certain: !rule.fallback && !mayBecome(digits, rule), all: found.map((r) => r.brand.id) };
}

export type Verdict = "good" | "unknown" | "short" | "long" | "check";

// judge says what is wrong with a whole number.
export function judge(digits: string): Verdict {
  const [rule] = claims(digits);
  if (!rule) return digits.length < 12 ? "short" : "unknown";
  if (!rule.lengths.includes(digits.length)) return digits.length < Math.max(...rule.lengths) ? "short" : "long";
  return rule.luhn && !luhn(digits) ? "check" : "good";
}

// mayBecomeGood reports whether more digits can make a whole number of this.
export function mayBecomeGood(digits: string): boolean {
  const [rule] = claims(digits);
  return judge(digits) === "good" || (rule !== undefined && digits.length < Math.max(...rule.lengths)) || mayBecome(digits, rule);
}

export function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let d = +digits[i]!;
    if ((digits.length - i) % 2 === 0 && (d *= 2) > 9) d -= 9;
    sum += d;
  }
  return sum % 10 === 0;
}
