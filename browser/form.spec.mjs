// The card form: what stands in its fields, when it says what is wrong, and
// that it sends once (T-07 to T-15).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { both, Hand, launch, logIn, open } from "./lib/browser.mjs";
import { start } from "./lib/product.mjs";

const year = String(new Date().getUTCFullYear() + 3).slice(2);
const visa = "4242424242424242";
const amex = "378282246310005";

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

// form opens the form for somebody new, so that no test sees another's cards.
async function form(t, options) {
  const page = await open(t, browser, options);
  await logIn(page, product, await product.signUp(), "/cards/add");
  return page;
}

// field is a field's value with the caret in it.
const field = (page, id = "number") =>
  page.$eval(`#${id}`, (e) => e.value.slice(0, e.selectionStart) + "▮" + e.value.slice(e.selectionStart));
const select = (page, from, to = from) =>
  page.$eval("#number", (e, [a, b]) => (e.focus(), e.setSelectionRange(a, b)), [from, to]);
// paste puts text in as the clipboard does: as one edit.
const paste = (page, text) => page.evaluate((s) => document.execCommand("insertText", false, s), text);

async function refill(page, text) {
  await page.fill("#number", "");
  await page.focus("#number");
  await page.keyboard.type(text);
}

describe("what stands in the field", () => {
  const typed = [
    ["sixteen digits in fours", visa, "4242 4242 4242 4242▮"],
    ["four digits without a space after them", "4242", "4242▮"],
    ["American Express in 4, 6, 5", amex, "3782 822463 10005▮"],
    ["Diners in 4, 6, 4", "36227206271667", "3622 720627 1667▮"],
    ["nineteen digits, and no twentieth", "62055000000000000041", "6205 5000 0000 0000 004▮"],
    ["no letters", "42a42", "4242▮"],
  ];
  const pasted = [
    ["pasted dashes", "4242-4242-4242-4242", "4242 4242 4242 4242▮"],
    ["a pasted space, NBSP and zero-width space", " 4242\u00a04242\u200b42424242", "4242 4242 4242 4242▮"],
    ["a pasted, spaced number of nineteen digits", "6205 5000 0000 0000 004", "6205 5000 0000 0000 004▮"],
    ["Arabic-Indic digits", "٤٢٤٢", "4242▮"],
    ["full-width digits", "４２４２", "4242▮"],
  ];
  const edits = [
    ["a digit put in after the second", visa.slice(0, 15), [2], (p) => p.keyboard.type("9"), "429▮4 2424 2424 2424"],
    ["Backspace right after a gap", "42424242", [5], (p) => p.keyboard.press("Backspace"), "424▮4 242"],
    ["Delete right before a gap", "42424242", [4], (p) => p.keyboard.press("Delete"), "4242▮ 242"],
    ["a digit over the second group", visa, [5, 9], (p) => p.keyboard.type("9"), "4242 9▮424 2424 2"],
    ["an American Express pasted over a Visa", visa, [0, 19], (p) => paste(p, amex), "3782 822463 10005▮"],
  ];

  test("typed, pasted and edited numbers", async (t) => {
    const page = await form(t);
    for (const [name, keys, want] of typed) {
      await refill(page, keys);
      assert.equal(await field(page), want, name);
    }
    for (const [name, text, want] of pasted) {
      await refill(page, "");
      await paste(page, text);
      assert.equal(await field(page), want, name);
    }
    for (const [name, keys, at, act, want] of edits) {
      await refill(page, keys);
      await select(page, ...at);
      await act(page);
      assert.equal(await field(page), want, name);
    }
    await refill(page, "42424");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Backspace");
    assert.equal(await field(page), "424▮", "Backspace twice takes the gap along");
  });

  test("what is being composed is left alone until it is done", async (t) => {
    const page = await form(t);
    const keyboard = await page.context().newCDPSession(page);
    await page.focus("#number");
    await keyboard.send("Input.imeSetComposition", { text: "42424", selectionStart: 5, selectionEnd: 5 });
    assert.equal(await field(page), "42424▮");
    await keyboard.send("Input.insertText", { text: "42424" });
    assert.equal(await field(page), "4242 4▮");
  });

  test("typed expiry dates", async (t) => {
    const page = await form(t);
    for (const [keys, want] of [["10/30", "10 / 30▮"], ["10 / 30", "10 / 30▮"], ["10 30", "10 / 30▮"], ["1/", "01 / ▮"], ["2", "02 / ▮"], ["1", "1▮"], ["12", "12 / ▮"], ["1030", "10 / 30▮"], ["1/30", "01 / 30▮"], ["330", "03 / 30▮"], ["102030", "10 / 2030▮"]]) {
      await page.fill("#expiry", "");
      await page.focus("#expiry");
      await page.keyboard.type(keys);
      assert.equal(await field(page, "expiry"), want, keys);
    }
    await page.fill("#expiry", "");
    await paste(page, "2030-10");
    assert.equal(await field(page, "expiry"), "2030-10▮", "pasted, the year first");
    await page.fill("#expiry", "");
    await page.keyboard.type("12");
    for (let i = 0; i < 5; i++) await page.keyboard.press("Backspace");
    assert.equal(await field(page, "expiry"), "▮", "Backspace gets through the slash");
  });

  test("the fields are what browsers and thumbs expect", async (t) => {
    const page = await form(t);
    for (const [id, token] of [["number", "cc-number"], ["expiry", "cc-exp"], ["code", "cc-csc"]]) {
      const attributes = await page.$eval(`#${id}`, (e) => Object.fromEntries([...e.attributes].map((a) => [a.name, a.value])));
      assert.equal(attributes.autocomplete, token);
      assert.deepEqual([attributes.type, attributes.inputmode, attributes.dir, attributes.name], ["text", "numeric", "ltr", id]);
      assert.deepEqual([attributes.spellcheck, attributes.autocorrect, attributes.autocapitalize], ["false", "off", "none"], id);
      assert.equal(attributes.enterkeyhint, id === "code" ? undefined : "next", "it goes on to the next field");
      assert.ok(!("aria-invalid" in attributes) && !("tabindex" in attributes), "only while it is wrong");
      const [described] = await page.$eval(`#${id}`, (e) => [e.getAttribute("aria-describedby").split(" ").map((i) => document.getElementById(i)?.id)]);
      assert.deepEqual(described, [`${id}-hint`, `${id}-error`]);
      for (const trap of ["maxlength", "pattern", "placeholder"]) assert.ok(!(trap in attributes), `${id} has ${trap}`);
      const size = await page.$eval(`#${id}`, (e) => parseFloat(getComputedStyle(e).fontSize));
      assert.ok(size >= 16, "smaller fonts make phones zoom");
      const label = page.locator(`label[for=${id}]`);
      assert.ok(await label.isVisible(), "a label is always there");
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box.height >= 44, `${id} is ${box.height} px high`);
    }
    const button = page.locator("form.card-form button[type=submit]");
    assert.equal(await button.textContent(), "Save card");
    assert.ok(await button.isEnabled(), "it is never disabled for what is wrong");
    assert.match(await page.textContent("label[for=code]"), /^Security code$/);
    assert.match(await page.textContent("#expiry-hint"), new RegExp(`10/${year}$`), "the year is ahead of now");
  });
});

async function fill(hand, number, { expiry = `12${year}`, code = "123" } = {}) {
  await hand.type("#number", number);
  await hand.type("#expiry", expiry);
  await hand.type("#code", code);
}

both("T-07: a Visa is added by typing", async (t, hand) => {
  const page = await form(t);
  await fill(hand(page), visa);
  await hand(page).choose("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.match(await page.textContent("main"), /The card is added[\s\S]*Visa card ending in 4242/);
});

both("T-08: a pasted number with dashes is added", async (t, hand) => {
  const page = await form(t);
  await hand(page).type("#number", "");
  await paste(page, "5555-5555-5555-4444");
  await hand(page).type("#expiry", `12/${year}`);
  await hand(page).type("#code", "123");
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.match(await page.textContent("main"), /Mastercard card ending in 4444/);
});

test("T-09: autofill may fill all fields in one tick", async (t) => {
  const page = await form(t);
  await page.evaluate(({ number, expiry }) => {
    for (const [token, value] of [["cc-number", number], ["cc-exp", expiry], ["cc-csc", "1234"]]) {
      const input = document.querySelector(`input[autocomplete="${token}"]`);
      input.value = value;
      for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }, { number: amex, expiry: `12/20${year}` });
  assert.equal(await page.inputValue("#number"), "3782 822463 10005");
  await page.click("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
});

both("T-10: American Express changes hint and length of the code, Visa changes them back", async (t, hand) => {
  const page = await form(t);
  const hint = () => page.textContent("#code-hint");
  const before = await hint();
  await hand(page).type("#number", amex);
  assert.match(await hint(), /^4 digits on the front/);
  await page.waitForFunction(() => /American Express/.test(document.querySelector("[data-live]").textContent));
  await hand(page).type("#code", "123");
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForSelector("#code-error:has-text('4-digit code on the front')");
  assert.match(await hint(), /^4 digits/, "the hint stays beside the error");
  await hand(page).retype("#number", visa);
  assert.match(await hint(), /^3 digits on the back/);
  assert.equal(await page.textContent("#code-error"), "", "three digits are right now");
  await hand(page).retype("#number", "");
  assert.equal(await hint(), before);
});

both("T-11: fixing one of three errors leaves the others", async (t, hand) => {
  const page = await form(t);
  await hand(page).choose("form.card-form button[type=submit]");
  assert.equal(await page.locator("#summary li").count(), 3);
  await hand(page).choose("#summary a[href='#number']");
  await page.keyboard.type(visa);
  assert.deepEqual(await page.locator("#summary li").allTextContents(), ["Enter the expiry date", "Enter the security code"]);
  assert.equal(await page.getAttribute("#number", "aria-invalid"), null);
  assert.equal(await page.getAttribute("#code", "aria-invalid"), "true");
  await hand(page).type("#expiry", "1330");
  await page.keyboard.press("Tab");
  assert.deepEqual(await page.locator("#summary li").allTextContents(), ["The month is between 01 and 12", "Enter the security code"], "it says what the field says");
  await hand(page).type("#code", "123");
  await hand(page).retype("#expiry", `12${year}`);
  assert.equal(await page.locator("#summary").count(), 0);
  assert.doesNotMatch(await page.title(), /^Error/);
});

both("T-12: Enter in the first field says everything, and its links lead to the fields", async (t, hand) => {
  const page = await form(t);
  await hand(page).type("#number", "");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "summary");
  assert.match(await page.title(), /^Error: /);
  for (const id of ["number", "expiry", "code"]) {
    await hand(page).choose(`#summary a[href='#${id}']`);
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
    const described = await page.$eval(`#${id}`, (e) => e.getAttribute("aria-describedby").split(" ").map((i) => document.getElementById(i).textContent).join(" "));
    assert.match(described, /Error: Enter/);
  }
});

test("leaving a field says what nothing typed elsewhere can mend, and no more", async (t) => {
  const page = await form(t);
  const leave = async (id, text) => {
    await page.fill(`#${id}`, text);
    await page.locator(`#${id}`).blur();
    return page.textContent(`#${id}-error`);
  };
  assert.equal(await leave("number", ""), "");
  assert.equal(await leave("code", "1234"), "", "which length is right is not known yet");
  assert.match(await leave("number", "4242424242424241"), /does not match any card/);
  assert.match(await leave("number", "42424242"), /too short for Visa/);
  assert.match(await leave("expiry", "1330"), /between 01 and 12/);
  assert.match(await leave("expiry", `00/${year}`), /between 01 and 12/);
  assert.match(await leave("expiry", "0120"), /has expired/);
  const now = new Date();
  const month = String(now.getUTCMonth() + 1).padStart(2, "0");
  assert.equal(await leave("expiry", `${month}/${now.getUTCFullYear()}`), "", "a card is good through its month");
  assert.equal(await leave("expiry", `${month}/${now.getUTCFullYear() + 20}`), "");
  assert.match(await leave("expiry", `12/${now.getUTCFullYear() + 21}`), /Check the expiry date/);
  assert.match(await leave("number", "0000000000000000"), /does not match any card/);
  assert.match(await leave("number", `${amex}55`), /too long for American Express/);
  await leave("number", visa);
  assert.equal(await page.textContent("#number-error"), "");
  assert.match(await leave("code", "12"), /3-digit code/);
});

both("T-13: pressing Save twice sends once", async (t, hand, kind) => {
  const page = await form(t);
  await fill(hand(page), visa);
  if (kind === "mouse") await page.dblclick("form.card-form button[type=submit]");
  else await Promise.all([page.keyboard.press("Enter"), page.keyboard.press("Enter")]);
  await page.waitForURL("**/cards?done=added");
  const sent = page.seen.requests.filter((r) => r.method() === "POST" && r.url().endsWith("/cards/add"));
  assert.equal(sent.length, 1);
  assert.equal(await page.locator("li.tile").count(), 1);
});

both("T-14: a card that is there already is explained, and another one can follow", async (t, hand) => {
  const who = await product.signUp();
  await product.addCard(who, visa);
  const page = await open(t, browser);
  await logIn(page, product, who, "/cards/add");
  await fill(hand(page), visa);
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForSelector("#summary");
  assert.match(await page.textContent("#summary"), /You have this card already/);
  assert.equal(await page.getAttribute("#summary a", "href"), "/cards");
  assert.equal(await page.inputValue("#number"), "4242 4242 4242 4242", "what was typed stays");
  await hand(page).retype("#number", "5555555555554444");
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.equal(await page.locator("li.tile").count(), 2);
});

both("T-15: without a connection nothing is lost, and another try works", async (t, hand) => {
  const page = await form(t);
  await fill(hand(page), visa);
  await page.context().setOffline(true);
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForSelector("#summary");
  assert.match(await page.textContent("#summary"), /no connection/);
  assert.equal(await page.inputValue("#number"), "4242 4242 4242 4242");
  assert.equal(await page.inputValue("#code"), "123");
  await page.context().setOffline(false);
  await hand(page).choose("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.equal(await page.locator("li.tile").count(), 1);
});

test("T-15: an answer that says no or too late keeps what was typed", async (t) => {
  const page = await form(t);
  await fill(new Hand(page, "mouse"), visa);
  await page.route("**/cards/add", (route) => route.fulfill({ status: 504, contentType: "application/json", body: "{}" }), { times: 1 });
  await page.click("form.card-form button[type=submit]");
  await page.waitForSelector("#summary");
  assert.match(await page.textContent("#summary"), /not saved/);
  await page.route("**/cards/add", async (route) => {
    await route.fetch(); // it arrives, but the answer gets lost
    await route.abort();
  }, { times: 1 });
  await page.click("form.card-form button[type=submit]");
  await page.waitForSelector("#summary:has-text('no connection')");
  await page.click("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.equal(await page.locator("li.tile").count(), 1, "the second try is the first once more");
});
