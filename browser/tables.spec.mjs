// The pure parts of the card form against the server's and against others:
// grouping, brands, expiry dates. No browser.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import cardTypes from "credit-card-type";
import cardValidator from "card-validator";

const root = new URL("..", import.meta.url).pathname;
const build = new URL("./build/", import.meta.url);
const { brandOf, judge, luhn } = await import(new URL("_brands.mjs", build));
const { digitsOf } = await import(new URL("_digits.mjs", build));
const { reformat, expiry, expired, readExpiry } = await import(new URL("_format.mjs", build));

// random is a xorshift with a seed that is printed, so that every run looks
// elsewhere and can be repeated.
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31) | 1;
let state = seed;
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}
const digits = (n) => Array.from({ length: n }, () => random(10)).join("");
const repeat = (n, what) => {
  for (let i = 0; i < n; i++) what();
};

before(() => console.log(`SEED=${seed}`));

test("grouping loses no digit, is done once, and keeps the caret among the digits", () => {
  const noise = ["", "", "", " ", "-", "\u00a0", "\u200b", "–"];
  repeat(20_000, () => {
    const text = [...digits(random(24))].map((d) => d + noise[random(noise.length)]).join("");
    const at = random(text.length + 1);
    const inserted = random(2) === 1;
    const { value, caret } = reformat(text, at, inserted);
    assert.equal(digitsOf(value), digitsOf(text).slice(0, 19), text);
    assert.ok(caret >= 0 && caret <= value.length, text);
    assert.equal(digitsOf(value.slice(0, caret)).length, Math.min(digitsOf(text.slice(0, at)).length, 19), text);
    assert.equal(reformat(value, caret, inserted).value, value, text);
    assert.doesNotMatch(value, /^ | $| {2}/);
  });
});

test("an expiry date that was formatted is not formatted again, and reads the same", () => {
  repeat(20_000, () => {
    const [month, year] = [1 + random(12), 20 + random(30)];
    for (const text of [`${String(month).padStart(2, "0")}${year}`, `${month}/${year}`, `${String(month).padStart(2, "0")} / 20${year}`]) {
      const shown = expiry(text, false);
      assert.equal(expiry(shown, false), shown, text);
      assert.deepEqual(readExpiry(shown), { month, year: 2000 + year }, text);
    }
  });
});

// borders are the prefixes of eight digits at which a table may change its
// mind: the first of each of its ranges, and the first after it. Between two of
// them every prefix is like the other, so what holds for the borders and for one
// prefix between each two holds for all hundred million.
function borders() {
  const found = new Set([0]);
  const range = (low, high) => {
    found.add(Number(low.padEnd(8, "0")));
    found.add(Number(high.padEnd(8, "9")) + 1);
  };
  for (const brand of JSON.parse(readFileSync(`${root}internal/card/brands.json`, "utf8")).brands) {
    for (const { prefixes } of brand.series) for (const p of prefixes) range(p.split("-")[0], p.split("-").at(-1));
  }
  for (const type of Object.values(cardTypes.types)) {
    for (const p of cardTypes.getTypeInfo(type).patterns) range(String([p].flat()[0]), String([p].flat().at(-1)));
  }
  return [...found].filter((b) => b < 1e8).sort((a, b) => a - b);
}

// representatives are each border, the last prefix before the next, and one
// between them.
const representatives = borders().flatMap((low, i, all) => {
  const high = (all[i + 1] ?? 1e8) - 1;
  return [...new Set([low, low + random(high - low + 1), high])].map((n) => String(n).padStart(8, "0"));
});

// withCheck adds the digit that makes the Luhn check fit.
function withCheck(most) {
  for (let last = 0; ; last++) if (luhn(most + last)) return most + last;
}

// ask has the server's own code judge lines ("brand 4242…", "expiry 10/30"), by
// a program beside these tests.
function ask(lines) {
  const answer = execFileSync("go", ["run", "./scripts/cardfacts"], { cwd: root, input: lines.join("\n") + "\n", maxBuffer: 1 << 28 });
  return answer.toString().split("\n").slice(0, -1);
}

// dates are expiry dates as people write them, and as they do not.
function dates() {
  const bits = ["/", " / ", "-", " ", "", ".", "//"];
  const texts = Array.from({ length: 10_000 }, () => digits(random(5)) + bits[random(bits.length)] + digits(random(5)));
  return [...texts, "10/30", "10 / 30", "1030", "102030", "10-2030", "2030-10", "1/30", "13/30", "00/30", "", "1/2/30"];
}

// expiryHere is what the form says of a date.
function expiryHere(text, now) {
  const read = readExpiry(text);
  const ahead = read && (read.year - now.getUTCFullYear()) * 12 + read.month - 1 - now.getUTCMonth();
  const good = read && read.month >= 1 && read.month <= 12 && now.getTime() < Date.UTC(read.year, read.month, 1, 12) && ahead <= 240;
  return good ? `${String(read.month).padStart(2, "0")}/${read.year}` : "";
}

test("the server and the form know the same brands and read the same dates", () => {
  const numbers = representatives.flatMap((prefix) =>
    Array.from({ length: 9 }, (_, i) => 11 + i).flatMap((length) => {
      const most = prefix + digits(length - 9);
      return random(10) === 0 ? [withCheck(most), most + random(10)] : [withCheck(most)];
    }),
  );
  const texts = dates();
  const theirs = ask([...numbers.map((n) => `brand ${n}`), ...texts.map((t) => `expiry ${t}`)]);
  assert.equal(theirs.length, numbers.length + texts.length);
  numbers.forEach((n, i) => {
    const ours = judge(n) === "good" ? brandOf(n).brand.id : "";
    if (ours !== theirs[i]) assert.fail(`${n}: here "${ours}", on the server "${theirs[i]}"`);
  });
  const now = new Date();
  texts.forEach((text, i) => assert.equal(expiryHere(text, now), theirs[numbers.length + i], JSON.stringify(text)));
});

// The brands of ours that credit-card-type does not have, or has with fewer
// ranges (see the notes in internal/card/brands.json): where we say one of them,
// it may say something else.
const more = new Set(["rupay", "dankort", "uatp", "jcb", "hipercard"]);

// numberHere and dateHere are what the form says to a person who sends them, by
// the key of the text.
function numberHere(n) {
  if (n === "") return "number.empty";
  const verdict = judge(n);
  if (verdict === "good") return "";
  return verdict === "long" || (verdict === "short" && brandOf(n)) ? `number.${verdict}` : "number.wrong";
}

function dateHere(text, now) {
  const read = readExpiry(text);
  if (text === "" || !read) return text === "" ? "expiry.empty" : "expiry.wrong";
  if (read.month < 1 || read.month > 12) return "expiry.month";
  if (expired(read.month, read.year, now)) return "expiry.past";
  return expiryHere(text, now) ? "" : "expiry.wrong";
}

test("the server says of a number and a date what the form says", () => {
  const numbers = Array.from({ length: 5_000 }, () => ["", "4", "37", "36", "51", "6011", "62", "0", "9"][random(9)] + digits(random(20)));
  const texts = [...dates(), "١٠/٣٠", "۱۰/۳۰", "１０／３０"];
  const theirs = ask([...numbers.map((n) => `number ${n}`), ...texts.map((t) => `date ${t}`)]);
  const now = new Date();
  numbers.forEach((n, i) => assert.equal(numberHere(n), theirs[i], n));
  texts.forEach((text, i) => assert.equal(dateHere(text, now), theirs[numbers.length + i], JSON.stringify(text)));
});

test("a prefix that several brands share is decided by its next digits", () => {
  const brand = (digits) => {
    const found = brandOf(digits);
    return found && `${found.brand.id}${found.certain ? "" : "?"}`;
  };
  for (const [digits, want] of [
    ["4", "visa?"], ["401178", "elo"], ["411111", "visa"], ["2200", "mir"], ["2221", "mastercard"], ["65", "discover?"], ["6521", "discover?"], ["650031", "elo"], ["650082", "troy"],
    ["506099", "verve"], ["504175", "elo"], ["508500", "rupay"], ["6", "maestro?"], ["62", "maestro?"], ["37", "american-express"], ["3", undefined], ["0", undefined],
  ]) assert.equal(brand(digits), want, digits);
});

test("every prefix of eight digits has the brand credit-card-type gives it", () => {
  let compared = 0;
  for (const n of representatives) {
    const theirs = cardTypes(n);
    const ours = brandOf(n)?.brand.id;
    if (theirs.length !== 1 || more.has(ours)) continue; // several mean that it is not sure
    compared++;
    if (ours !== theirs[0].type) assert.fail(`${n}: here ${ours}, there ${theirs[0].type}`);
  }
  assert.ok(compared > 500, `only ${compared} of ${representatives.length} compared`);
  console.log(`${compared} of ${representatives.length} prefixes stand for all`);
});

test("between two borders nothing changes", () => {
  // What the test above rests on, for both tables, on random prefixes.
  const edges = borders();
  const like = (n) => edges.findLast((b) => b <= n);
  const first = ["4", "5", "6", "3", "2", "50", "60", "62", "63", "65", "81", "9792"];
  repeat(5_000, () => {
    const n = (first[random(first.length)] + digits(8)).slice(0, 8);
    const edge = String(like(+n)).padStart(8, "0");
    assert.equal(brandOf(n)?.brand.id, brandOf(edge)?.brand.id, `${n} and ${edge}`);
    assert.deepEqual(cardTypes(n).map((c) => c.type), cardTypes(edge).map((c) => c.type), `${n} and ${edge}`);
  });
});

test("whole numbers are good where card-validator says so", () => {
  let compared = 0;
  repeat(10_000, () => {
    const n = ["4", "51", "34", "36", "6011", "3528", "62", "2221"][random(8)] + digits(10 + random(7));
    const { card, isValid } = cardValidator.number(n);
    const ours = brandOf(n)?.brand.id;
    if (!card || more.has(ours) || card.type !== ours) return;
    compared++;
    // 13 digits are a Visa of the old kind, which card-validator left out.
    if (ours === "visa" && n.length === 13) return;
    if ((judge(n) === "good") !== isValid) assert.fail(`${n}: here ${judge(n)}, there ${isValid}`);
  });
  assert.ok(compared > 4_000, `only ${compared} compared`);
});
