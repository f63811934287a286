// The card form: groups digits, knows brands, says what is wrong at the right
// moment. Without it the form works as well, and the server checks everything
// again. Number and code leave this page in one request and nowhere else.

import { brandOf, judge, maxDigits, mayBecomeGood, type Brand } from "./_brands";
import { digitsOf } from "./_digits";
import { expired, expiry as formatExpiry, readExpiry, reformat, withoutNeighbour, type Edit } from "./_format";
import { fill, FormErrors, texts } from "./_form";

const yearsAhead = 20;
const announceAfter = 1000; // ms after the last key
const patience = 30_000; // ms for an answer

// FieldState is what others may know of a field: never what stands in it.
export interface FieldState {
  field: string;
  empty: boolean;
  complete: boolean;
  potentiallyValid: boolean;
  brand: string | null; // id in the table, once it is certain
  errorCode: string | null; // of the error that is shown
}

// Answer is what the server says to a form that was sent.
export interface Answer {
  location?: string;
  notice?: string;
  link?: string; // where the notice leads
  linkText?: string;
  key?: string; // of the next try
  errors?: Record<string, string>;
  registration?: { registration_id: string; status: string; brand?: string; last4?: string; expiry?: string };
}

export interface Hooks {
  changed?(state: FieldState): void;
  // registered takes over what follows on success; the default is to go on to
  // the answer's location.
  registered?(answer: Answer): void;
}

// CardForm is a form that runs.
export interface CardForm {
  focus(field: string): void;
  clear(): void;
  submit(): void;
}

interface Fault {
  code: string; // of the text in the catalogue
  values: (string | number)[];
}

const fault = (code: string, ...values: (string | number)[]): Fault => ({ code, values });

export function start(form: HTMLFormElement, hooks: Hooks = {}): CardForm {
  const ids = ["number", "expiry", "code", "name"].filter((id) => form.querySelector(`#${id}`));
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

  const accepted = form.dataset["brands"]?.split(" "); // default all are
  const shown = new Map<string, string>(); // codes of the errors that are shown
  let announced = "";
  let timer = 0;

  function brand(): Brand | undefined {
    const found = brandOf(digitsOf(number.value));
    return found?.certain ? found.brand : undefined;
  }

  // refused is the brand of the number when it is certain and not accepted.
  function refused(): Brand | undefined {
    const found = brandOf(digitsOf(number.value));
    return accepted && found?.certain && !found.all.some((id) => accepted.includes(id)) ? found.brand : undefined;
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
    const no = refused() ? fill(t["number.brand"], known!.name) : "";
    markBrand(no);
    hint.textContent = known ? fill(t[known.codeLength === 4 ? "code.hint.front" : "code.hint.back"]) : hintAtStart;
    say(no || (known ? fill(t["brand"], known.name, known.codeLength) : ""));
  }

  // markBrand shows the brand below the field, or that it is not accepted, unless
  // an error says that above it.
  function markBrand(no: string): void {
    const more = shown.has("number") ? "" : no;
    brandMark.textContent = more || (brand()?.name ?? "");
    brandMark.classList.toggle("refused", more !== "");
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
    if (mend("code")) tell("code");
    tell("number");
  });
  number.addEventListener("compositionend", () => put(reformat(number.value, number.selectionStart ?? 0, true)));

  expiry.addEventListener("input", (event) => {
    const e = event as InputEvent;
    if (e.isComposing) return;
    const atEnd = expiry.selectionStart === expiry.value.length;
    if (atEnd) expiry.value = formatExpiry(expiry.value, (e.inputType ?? "").startsWith("delete"));
    mend("expiry");
    tell("expiry");
  });
  for (const id of ids.filter((id) => id === "code" || id === "name")) {
    errors.input(id).addEventListener("input", () => {
      mend(id);
      tell(id);
    });
  }

  // wrong says what is wrong with a field. Empty is for the moment of sending
  // only.
  function wrong(id: string, sending: boolean): Fault | undefined {
    const value = errors.input(id).value.trim();
    if (value === "") return sending ? fault(`${id}.empty`) : undefined;
    if (id === "number") return wrongNumber(value);
    if (id === "expiry") return wrongExpiry(value);
    return id === "name" ? wrongName(value) : wrongCode(value);
  }

  function wrongNumber(value: string): Fault | undefined {
    const digits = digitsOf(value);
    const known = brandOf(digits)?.brand.name ?? "";
    if (refused()) return fault("number.brand", known);
    switch (judge(digits)) {
      case "good":
        return undefined;
      case "short":
        return known ? fault("number.short", known) : fault("number.wrong");
      case "long":
        return fault("number.long", known);
      default:
        return fault("number.wrong");
    }
  }

  function wrongExpiry(value: string): Fault | undefined {
    const read = readExpiry(value);
    if (!read) return fault("expiry.wrong");
    if (read.month < 1 || read.month > 12) return fault("expiry.month");
    const now = new Date();
    if (expired(read.month, read.year, now)) return fault("expiry.past");
    const ahead = (read.year - now.getUTCFullYear()) * 12 + read.month - (now.getUTCMonth() + 1);
    return ahead > yearsAhead * 12 ? fault("expiry.wrong") : undefined;
  }

  function wrongCode(value: string): Fault | undefined {
    const length = brand()?.codeLength;
    const digits = digitsOf(value);
    const fits = /^\p{Nd}+$/u.test(value) && (length ? digits.length === length : digits.length === 3 || digits.length === 4);
    return fits ? undefined : fault(length === 4 ? "code.wrong.front" : "code.wrong.back");
  }

  // A number in this field is the card's, three or four digits are its code.
  function wrongName(value: string): Fault | undefined {
    const digits = digitsOf(value);
    const others = value.replace(/[\s\p{Nd}]/gu, "");
    return digits.length > 11 || (others === "" && (digits.length === 3 || digits.length === 4)) ? fault("name.digits") : undefined;
  }

  // mayBecome reports whether going on typing can make a field right.
  function mayBecome(id: string): boolean {
    const value = errors.input(id).value.trim();
    if (value === "" || !wrong(id, false)) return true;
    const digits = digitsOf(value);
    if (id === "number") return !refused() && mayBecomeGood(digits);
    if (id === "code") return /^\p{Nd}+$/u.test(value) && digits.length < (brand()?.codeLength ?? 3);
    return id === "expiry" && digits.length < 4 && !/^(1[3-9]|00)/.test(digits);
  }

  // show shows an error at a field, or takes it away.
  function show(id: string, found: Fault | undefined): string {
    const message = found ? fill(t[found.code], ...found.values) : "";
    errors.set(id, message);
    if (found) shown.set(id, found.code);
    else shown.delete(id);
    if (id === "number") markBrand("");
    return message;
  }

  function tell(id: string): void {
    const value = errors.input(id).value.trim();
    hooks.changed?.({
      field: id,
      empty: value === "",
      complete: value !== "" && !wrong(id, true),
      potentiallyValid: mayBecome(id),
      brand: brand()?.id ?? null,
      errorCode: shown.get(id) ?? null,
    });
  }

  // mend takes an error away as soon as the value is right.
  function mend(id: string): boolean {
    if (!errors.has(id) || wrong(id, true)) return false;
    show(id, undefined);
    errors.shrink(id);
    return true;
  }

  for (const id of ids) {
    // Leaving a field shows only what nothing typed elsewhere can mend.
    errors.input(id).addEventListener("blur", () =>
      afterPress(() => {
        const found = wrong(id, false);
        if (!found || (id === "code" && !brand())) return;
        show(id, found);
        tell(id);
      }),
    );
  }

  // An error makes the page longer. While a button is being pressed it waits, or
  // the button would move away from under the mouse and not be clicked.
  function afterPress(check: () => void): void {
    if (!pressed) return check();
    window.addEventListener("pointerup", () => setTimeout(check), { once: true });
  }

  let pressed = false;
  window.addEventListener("pointerdown", () => (pressed = true), true);
  for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => (pressed = false), true);

  let sending = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (sending) return;
    const found = new Map<string, string>();
    for (const id of ids) {
      const message = show(id, wrong(id, true));
      if (message !== "") found.set(id, message);
      tell(id);
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
        signal: AbortSignal.timeout(patience),
      });
      if (answer.redirected) return loggedOut();
      const said = (await answer.json()) as Answer;
      if (answer.ok && said.registration && hooks.registered) {
        forget();
        hooks.registered(said);
        return;
      }
      if (answer.ok && said.location) {
        forget();
        location.assign(said.location);
        return;
      }
      const found = new Map(Object.entries(said.errors ?? {}));
      for (const [id, message] of found) {
        errors.set(id, message);
        shown.set(id, "refused");
        tell(id);
      }
      const key = form.querySelector<HTMLInputElement>("input[name=key]");
      if (key && said.key) key.value = said.key;
      errors.summary(found, said.notice ?? (found.size === 0 ? t["failed"]! : ""), said);
    } catch {
      errors.summary(new Map(), t["offline"]!);
    }
    rest();
  }

  // rest lets the form be sent again.
  function rest(): void {
    live.textContent = "";
    button.removeAttribute("aria-disabled");
    sending = false;
  }

  // loggedOut says why nothing was saved. What may stay on the page stays.
  function loggedOut(): void {
    forget();
    showBrand();
    errors.summary(new Map(), t["loggedout"]!, { link: form.action, linkText: t["login"]! });
    rest();
  }

  function forget(): void {
    number.value = "";
    code.value = "";
  }
  // A page that comes back from the browser's memory shows no number.
  window.addEventListener("pagehide", forget);

  if (digitsOf(number.value).length > maxDigits) forget();
  showBrand();

  return {
    focus: (field) => form.querySelector<HTMLInputElement>(`#${ids.includes(field) ? field : "number"}`)?.focus(),
    clear: () => {
      for (const id of ids) {
        errors.input(id).value = "";
        show(id, undefined);
        tell(id);
      }
      errors.summary(new Map());
      showBrand();
    },
    submit: () => form.requestSubmit(),
  };
}
