// Asks a person who did nothing for a while whether to stay logged in. When
// nobody answers it clears what must not stand on a screen that was left: card
// numbers, codes and passwords. The rest of a form stays.

interface Left {
  seconds: number;
}

const secrets = 'input[autocomplete="cc-number"], input[autocomplete="cc-csc"], input[type="password"], input[data-show]';
const announced = [60, 20]; // seconds left at which a screen reader says so

function stay(dialog: HTMLDialogElement): void {
  const part = (name: string) => dialog.querySelector<HTMLElement>(`[data-${name}]`)!;
  const warning = Number(dialog.dataset["warning"]);
  // Another window of this person's puts the end off here too.
  const windows = new BroadcastChannel("ccms-stay");
  let over = false;
  let known = false; // that the end comes, which nothing puts off
  let ends = 0;

  function renew(seconds: number): void {
    ends = Date.now() + seconds * 1000;
    part("said").textContent = "";
    if (!over) dialog.close();
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
    over = true;
    for (const input of document.querySelectorAll<HTMLInputElement>(secrets)) {
      input.value = "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    part("soon").hidden = true;
    part("over").hidden = false;
    dialog.setAttribute("aria-labelledby", "stay-over");
    dialog.setAttribute("aria-describedby", "stay-over-text");
    if (!dialog.open) dialog.showModal();
    part("over").querySelector("a")?.focus();
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
      windows.postMessage({ seconds } satisfies Left);
    } catch {
      // No connection: the question stays, and can be answered again.
    }
  }

  part("stay").addEventListener("click", () => void ask());
  dialog.addEventListener("cancel", (event) => {
    if (over) return;
    event.preventDefault();
    void ask();
  });
  windows.addEventListener("message", (event: MessageEvent<Left>) => !over && renew(event.data.seconds));
  // A timer may have slept with the machine.
  for (const back of ["visibilitychange", "focus", "pageshow"]) window.addEventListener(back, check);
  window.setInterval(check, 1000);
  renew(Number(dialog.dataset["seconds"]));
  windows.postMessage({ seconds: Number(dialog.dataset["seconds"]) } satisfies Left);
}

const dialog = document.querySelector<HTMLDialogElement>("#stay");
if (dialog) stay(dialog);
