// The card form: groups digits, knows brands, says what is wrong at the right
// moment. Without it the form works as well, and the server checks everything
// again. Number and code leave this page in one request and nowhere else.

import { brandOf, judge, maxDigits, type Brand } from "./_brands";
import { digitsOf } from "./_digits";
import { expired, expiry as formatExpiry, readExpiry, reformat, withoutNeighbour, type Edit } from "./_format";
import { fill, FormErrors, texts } from "./_form";

const yearsAhead = 20;
const announceAfter = 1000; // ms after the last key

function start(form: HTMLFormElement): void {
  const t = texts();
  const errors = new FormErrors(form, t);
  const number = errors.input("number");
  const expiry = errors.input("expiry");
  const code = errors.input("code");
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
  const live = form.querySelector("[data-live]")!;
  const hint = form.querySelector("#code-hint")!;
  const brandMark = form.querySelector<HTMLElement>("[data-brand]")!;
  const hintAtStart = hint.textContent;

  let announced = "";
  let timer = 0;

  function brand(): Brand | undefined {
    const found = brandOf(digitsOf(number.value));
    return found?.certain ? found.brand : undefined;
  }

  // say announces politely, once typing pauses, and once per change.
  function say(text: string): void {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (text === announced) return;
      announced = text;
      live.textContent = text;
    }, announceAfter);
  }

  function showBrand(): void {
    const known = brand();
    brandMark.textContent = known?.name ?? "";
    hint.textContent = known ? fill(t[known.codeLength === 4 ? "code.hint.front" : "code.hint.back"]) : hintAtStart;
    say(known ? fill(t["brand"], known.name, known.codeLength) : "");
  }

  function put(edit: Edit): void {
    if (number.value === edit.value && number.selectionStart === edit.caret) return;
    number.value = edit.value;
    if (document.activeElement === number) number.setSelectionRange(edit.caret, edit.caret);
  }

  // What stood in the field before the edit tells whether only a space went.
  let was = "";
  let wasAt = 0;
  number.addEventListener("beforeinput", () => {
    was = number.value;
    wasAt = number.selectionStart ?? 0;
  });
  number.addEventListener("input", (event) => {
    const e = event as InputEvent;
    if (e.isComposing) return;
    const kind = e.inputType ?? "";
    const forward = kind === "deleteContentForward";
    const spaceOnly = (forward || kind === "deleteContentBackward") && was !== number.value && digitsOf(was) === digitsOf(number.value);
    put(spaceOnly ? withoutNeighbour(was, wasAt, forward) : reformat(number.value, number.selectionStart ?? number.value.length, kind.startsWith("insert")));
    showBrand();
    mend("number");
    if (errors.has("code")) mend("code");
  });
  number.addEventListener("compositionend", () => put(reformat(number.value, number.selectionStart ?? 0, true)));

  expiry.addEventListener("input", (event) => {
    const e = event as InputEvent;
    if (e.isComposing) return;
    const atEnd = expiry.selectionStart === expiry.value.length;
    if (atEnd) expiry.value = formatExpiry(expiry.value, (e.inputType ?? "").startsWith("delete"));
    mend("expiry");
  });
  code.addEventListener("input", () => mend("code"));

  // wrong says what is wrong with a field, "" for nothing. Empty is for the
  // moment of sending only.
  function wrong(id: string, sending: boolean): string {
    const value = errors.input(id).value.trim();
    if (value === "") return sending ? t[id === "code" ? "code.empty" : `${id}.empty`]! : "";
    if (id === "number") return wrongNumber(value);
    if (id === "expiry") return wrongExpiry(value);
    const length = brand()?.codeLength;
    const digits = digitsOf(value);
    const fits = /^\p{Nd}+$/u.test(value) && (length ? digits.length === length : digits.length === 3 || digits.length === 4);
    return fits ? "" : fill(t[length === 4 ? "code.wrong.front" : "code.wrong.back"]);
  }

  function wrongNumber(value: string): string {
    const digits = digitsOf(value);
    const known = brandOf(digits)?.brand.name ?? "";
    switch (judge(digits)) {
      case "good":
        return "";
      case "short":
        return known ? fill(t["number.short"], known) : t["number.wrong"]!;
      case "long":
        return fill(t["number.long"], known);
      default:
        return t["number.wrong"]!;
    }
  }

  function wrongExpiry(value: string): string {
    const read = readExpiry(value);
    if (!read) return t["expiry.wrong"]!;
    if (read.month < 1 || read.month > 12) return t["expiry.month"]!;
    const now = new Date();
    if (expired(read.month, read.year, now)) return t["expiry.past"]!;
    const ahead = (read.year - now.getUTCFullYear()) * 12 + read.month - (now.getUTCMonth() + 1);
    return ahead > yearsAhead * 12 ? t["expiry.wrong"]! : "";
  }

  // mend takes an error away as soon as the value is right.
  function mend(id: string): void {
    if (!errors.has(id)) return;
    const message = wrong(id, true);
    if (message === "") {
      errors.set(id, "");
      errors.shrink(id);
    }
  }

  for (const id of ["number", "expiry", "code"]) {
    // Leaving a field shows only what nothing typed elsewhere can mend.
    errors.input(id).addEventListener("blur", () => {
      const message = wrong(id, false);
      if (message !== "" && !(id === "code" && !brand())) errors.set(id, message);
    });
  }

  let sending = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (sending) return;
    const found = new Map<string, string>();
    for (const id of ["number", "expiry", "code"]) {
      const message = wrong(id, true);
      errors.set(id, message);
      if (message !== "") found.set(id, message);
    }
    errors.summary(found);
    if (found.size === 0) void send();
  });

  // send posts the form. The page stays, so that nothing is lost when the
  // answer is no or does not come.
  async function send(): Promise<void> {
    sending = true;
    button.setAttribute("aria-disabled", "true");
    live.textContent = t["sending"]!;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, String(v)])),
      });
      const said = (await answer.json()) as { location?: string; notice?: string; errors?: Record<string, string> };
      if (answer.ok && said.location) {
        forget();
        location.assign(said.location);
        return;
      }
      const found = new Map(Object.entries(said.errors ?? {}));
      for (const [id, message] of found) errors.set(id, message);
      errors.summary(found, said.notice ?? (found.size === 0 ? t["failed"]! : ""));
    } catch {
      errors.summary(new Map(), t["offline"]!);
    }
    live.textContent = "";
    button.removeAttribute("aria-disabled");
    sending = false;
  }

  function forget(): void {
    number.value = "";
    code.value = "";
  }
  // A page that comes back from the browser's memory shows no number.
  window.addEventListener("pagehide", forget);

  if (digitsOf(number.value).length > maxDigits) forget();
  showBrand();
}

const form = document.querySelector<HTMLFormElement>("form.card-form");
if (form) start(form);
