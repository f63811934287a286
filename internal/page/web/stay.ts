// Asks a person who did nothing for a while whether to stay logged in. When
// nobody answers it clears what must not stand on a screen that was left: card
// numbers, codes, passwords and secrets. The rest of a form stays, and can be
// sent once the person has logged in again in another window.

// Left is what windows tell each other: who is logged in, and for how long.
interface Left {
  seconds: number;
  person: string;
}

const secrets = 'input[autocomplete="cc-number"], input[autocomplete="cc-csc"], input[type="password"], input[data-show]';
const announced = [60, 20]; // seconds left at which a screen reader says so

function stay(dialog: HTMLDialogElement): void {
  const part = (name: string) => dialog.querySelector<HTMLElement>(`[data-${name}]`)!;
  const warning = Number(dialog.dataset["warning"]);
  const person = dialog.dataset["person"]!;
  // Another window of this person's puts the end off here too.
  const windows = new BroadcastChannel("ccms-stay");
  let over = false;
  let known = false; // that the end comes, which nothing puts off
  let ends = 0;

  function renew(seconds: number): void {
    ends = Date.now() + seconds * 1000;
    part("said").textContent = "";
    if (over) {
      turn(false);
      delete dialog.dataset["last"]; // there is a new session
      known = false;
    }
    dialog.close();
  }

  function check(): void {
    const left = Math.ceil((ends - Date.now()) / 1000);
    if (over || left > warning) return;
    if (left <= 0) return end();
    part("left").textContent = String(left);
    if (announced.includes(left)) part("said").textContent = part("text").textContent;
    if (!dialog.open && !known) dialog.showModal();
  }

  function end(): void {
    const kept = unsaved();
    for (const input of document.querySelectorAll<HTMLInputElement>(secrets)) {
      input.value = "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    for (const shown of document.querySelectorAll(".once code")) shown.textContent = "";
    part("kept").hidden = !kept;
    turn(true);
    if (!dialog.open) dialog.showModal();
    const onward = part("over").querySelector("a")!;
    if (kept) onward.target = "_blank";
    onward.focus();
  }

  // turn has the dialog say that the session is over, or ask again.
  function turn(ended: boolean): void {
    over = ended;
    part("soon").hidden = ended;
    part("over").hidden = !ended;
    dialog.setAttribute("aria-labelledby", ended ? "stay-over" : "stay-title");
    dialog.setAttribute("aria-describedby", ended ? "stay-over-text" : "stay-text");
  }

  // ask has the services know that somebody is there. Where they do not take the
  // session any more, the answer leads to another page.
  async function ask(): Promise<void> {
    if ("last" in dialog.dataset) {
      known = true;
      return dialog.close();
    }
    try {
      const answer = await fetch("/stay", { method: "POST", headers: { Accept: "application/json" } });
      if (answer.redirected) return end();
      if (!answer.ok) return;
      const { seconds } = (await answer.json()) as Left;
      renew(seconds);
      windows.postMessage({ seconds, person } satisfies Left);
    } catch {
      // No connection: the question stays, and can be answered again.
    }
  }

  part("stay").addEventListener("click", () => void ask());
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    if (!over) void ask();
  });
  windows.addEventListener("message", ({ data }: MessageEvent<Left>) => data.person === person && renew(data.seconds));
  // A timer may have slept with the machine.
  for (const back of ["visibilitychange", "focus", "pageshow"]) window.addEventListener(back, check);
  window.setInterval(check, 1000);
  renew(Number(dialog.dataset["seconds"]));
  windows.postMessage({ seconds: Number(dialog.dataset["seconds"]), person } satisfies Left);
}

// unsaved reports whether logging in on this page would lose what stands in a
// form: something other than what came with it, or a form that was refused.
function unsaved(): boolean {
  const changed = (field: Element) => {
    if (field instanceof HTMLSelectElement) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((o) => o.defaultSelected));
    const { type, checked, defaultChecked, value, defaultValue } = field as HTMLInputElement;
    return type === "checkbox" ? checked !== defaultChecked : value !== defaultValue;
  };
  const fields = document.querySelectorAll('main form :is(input:not([type="hidden"]), textarea, select)');
  return document.getElementById("summary") !== null || [...fields].some(changed);
}

const dialog = document.querySelector<HTMLDialogElement>("#stay");
if (dialog) stay(dialog);
