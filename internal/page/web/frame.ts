// The card form in a frame on a firm's page. It tells that page, and only where
// it is of the origin the link was made for, how tall it is and how things
// stand; what is typed stays here. The two meet by postMessage and then speak
// through a channel of their own, which no other frame can listen to.

import { appear } from "./_appearance";
import { start, type Answer, type CardForm } from "./_card";
import { texts } from "./_form";
import { isMessage, message } from "./_message";

interface Known {
  embedder: string; // the one origin to speak to
  state: string; // of the link
  registration?: Answer["registration"];
}

const known = JSON.parse(document.getElementById("frame")?.textContent ?? "{}") as Known;
const element = document.querySelector<HTMLFormElement>("form.card-form");
let port: MessagePort | undefined;

function send(type: string, more?: object): void {
  port?.postMessage(message(type, more));
}

function submitted(made: NonNullable<Answer["registration"]>): void {
  const { registration_id: registrationId, status, brand = null, last4 = null, expiry = null } = made;
  send("submit", { registrationId, status, brand, last4, expiry });
}

const form: CardForm | undefined = element
  ? start(element, {
      changed: (state) => send("change", state),
      registered: (answer) => {
        show(answer.registration!.status);
        submitted(answer.registration!);
      },
    })
  : undefined;

// show puts in the place of the form what became of the card.
function show(status: string): void {
  const t = texts();
  const p = document.createElement("p");
  p.tabIndex = -1;
  p.setAttribute("role", "status");
  p.className = status === "rejected" ? "notice" : "done";
  p.textContent = t[status === "pending" || status === "rejected" ? status : "done"]!;
  document.getElementById("summary")?.remove();
  element!.replaceWith(p);
  p.focus();
}

// obey does what the page around asks for; what it does not know it ignores.
function obey(data: unknown): void {
  if (!isMessage(data)) return;
  switch (data.type) {
    case "focus":
      return form?.focus(String(data["field"]));
    case "clear":
      return form?.clear();
    case "submit":
      return form?.submit();
    case "appearance":
      return send("appearance", { wrong: appear(Object(data["appearance"]) as Record<string, unknown>) });
    case "locale": {
      const here = new URL(location.href);
      here.searchParams.set("lang", String(data["locale"]));
      return location.replace(here);
    }
    case "destroy":
      form?.clear();
      port?.close();
      port = undefined;
  }
}

// meet takes the channel that the page around offers, the first time.
function meet(event: MessageEvent): void {
  if (port || event.source !== parent || event.origin !== known.embedder) return;
  if (!isMessage(event.data) || event.data.type !== "connect" || !event.ports[0]) return;
  removeEventListener("message", meet);
  port = event.ports[0];
  port.onmessage = (e) => obey(e.data);
  send("ready", { state: known.state });
  new ResizeObserver(() => send("resize", { height: Math.ceil(document.documentElement.getBoundingClientRect().height) })).observe(document.documentElement);
  if (known.registration) submitted(known.registration);
}

if (parent !== window && known.embedder) {
  addEventListener("message", meet);
  document.addEventListener("focusin", (e) => e.target instanceof HTMLInputElement && send("focus", { field: e.target.id }));
  document.addEventListener("focusout", (e) => e.target instanceof HTMLInputElement && send("blur", { field: e.target.id }));
  document.addEventListener("keydown", (e) => e.key === "Escape" && !e.isComposing && send("escape"));
  parent.postMessage(message("hello"), known.embedder);
}
