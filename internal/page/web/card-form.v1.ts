// The script a firm puts into its page. It shows our form in a frame and passes
// on what that says; it never sees what is typed there. It adds no style
// attribute and no inline code, so it works under the strictest policy of the
// page around (docs/embedding.md).

import { isMessage, message } from "./_message";

// Appearance is what of the form's looks may be chosen. Colours are #rrggbb,
// sizes CSS pixels.
interface Appearance {
  text?: string;
  hint?: string;
  background?: string;
  border?: string;
  error?: string;
  button?: string;
  buttonText?: string;
  font?: "system" | "sans" | "serif" | "rounded" | "mono";
  fontSize?: number; // 16 to 24
  radius?: number; // 0 to 24
  spacing?: number; // 8 to 32
}

interface Options {
  url: string; // of a link with the mode embed
  element: Element | string; // what the form is put into, or a selector of it
  locale?: string; // en or ar; default the person's own
  colorScheme?: "light" | "dark"; // default as the element is
  appearance?: Appearance; // default ours
  title?: string; // of the frame, for screen readers; default "Card details"
  linkText?: string; // of the way out when the frame does not load
  autofill?: boolean; // ask for autofill across origins, where the browser knows that
  onReady?(event: object): void;
  onResize?(event: object): void;
  onFocus?(event: object): void;
  onBlur?(event: object): void;
  onEscape?(event: object): void;
  onChange?(event: object): void;
  onSubmit?(event: object): void;
  onError?(event: { code: string; wrong?: string[] }): void;
}

const patience = 15_000; // ms until a frame that does not answer is given up
const firstHeight = 640; // px, near what the form takes, so that little moves

class CardForm {
  private frame: HTMLIFrameElement | undefined;
  private port: MessagePort | undefined;
  private timer = 0;
  private readonly url: URL;
  private instead: Element[] = []; // what stood in the element
  private readonly listen = (e: MessageEvent): void => this.meet(e);

  constructor(private readonly options: Options) {
    this.url = new URL(options.url);
    if (options.locale) this.url.searchParams.set("lang", options.locale);
  }

  // mount shows the form in the element, in the place of what stands there.
  mount(): this {
    if (this.frame) return this;
    const { element } = this.options;
    const place = typeof element === "string" ? document.querySelector(element) : element;
    if (!place) throw new Error("CCMS.cardForm: there is no such element: " + String(element));
    this.instead = [...place.children].filter((c) => !c.hasAttribute("hidden"));
    for (const child of this.instead) child.setAttribute("hidden", "");
    const frame = document.createElement("iframe");
    frame.className = "ccms-card-form";
    frame.title = this.options.title ?? "Card details";
    frame.setAttribute("sandbox", "allow-scripts allow-forms allow-same-origin");
    frame.referrerPolicy = "no-referrer";
    if (this.options.autofill) frame.allow = "autofill";
    frame.width = "100%";
    frame.height = String(firstHeight);
    const src = new URL(this.url);
    src.searchParams.set("scheme", this.options.colorScheme ?? schemeOf(place));
    frame.src = src.href;
    this.frame = frame;
    addEventListener("message", this.listen);
    this.timer = window.setTimeout(() => this.giveUp(), patience);
    place.append(frame);
    return this;
  }

  // unmount takes the form away; it can be mounted again, empty.
  unmount(): this {
    clearTimeout(this.timer);
    removeEventListener("message", this.listen);
    this.send("destroy");
    this.port?.close();
    this.frame?.remove();
    this.port = this.frame = undefined;
    for (const child of this.instead) child.removeAttribute("hidden");
    return this;
  }

  destroy(): void {
    this.unmount();
  }

  focus(field = "number"): void {
    this.frame?.focus();
    this.send("focus", { field });
  }

  clear(): void {
    this.send("clear");
  }

  // setLocale loads the form anew in another language: what was typed is lost.
  setLocale(locale: string): void {
    this.url.searchParams.set("lang", locale);
    this.send("locale", { locale });
  }

  // setAppearance changes how the form looks. What is not chosen is as it was at
  // first. Colours that cannot be read are refused, all of them.
  setAppearance(appearance: Appearance): void {
    this.options.appearance = appearance;
    this.send("appearance", { appearance });
  }

  submit(): void {
    this.send("submit");
  }

  private send(type: string, more?: object): void {
    this.port?.postMessage(message(type, more));
  }

  // meet answers a form that loaded in our frame, again each time it does, with
  // a channel of its own.
  private meet(event: MessageEvent): void {
    const inside = this.frame?.contentWindow;
    if (!inside || event.source !== inside || event.origin !== this.url.origin) return;
    if (!isMessage(event.data) || event.data.type !== "hello") return;
    clearTimeout(this.timer);
    this.port?.close();
    const channel = new MessageChannel();
    this.port = channel.port1;
    this.port.onmessage = (e) => this.hear(e.data);
    inside.postMessage(message("connect"), this.url.origin, [channel.port2]);
  }

  private hear(data: unknown): void {
    if (!isMessage(data)) return;
    const { ccms: _, version: __, type, ...event } = data;
    const { onReady, onResize, onFocus, onBlur, onEscape, onChange, onSubmit } = this.options;
    switch (type) {
      case "ready":
        if (this.options.appearance) this.setAppearance(this.options.appearance);
        return onReady?.(event);
      case "appearance":
        return this.refuse(event["wrong"] as string[]);
      case "resize":
        if (this.frame) this.frame.height = String(Math.max(0, Number(event["height"]) || 0));
        return onResize?.(event);
      case "focus":
        return onFocus?.(event);
      case "blur":
        return onBlur?.(event);
      case "escape":
        return onEscape?.(event);
      case "change":
        return onChange?.(event);
      case "submit":
        return onSubmit?.(event);
    }
  }

  // refuse tells who builds the page why the form does not look as he chose.
  private refuse(wrong: string[]): void {
    if (wrong.length === 0) return;
    console.error(`CCMS.cardForm: the appearance was refused: ${wrong.join("; ")}`);
    this.options.onError?.({ code: "appearance", wrong });
  }

  // giveUp shows the way to the same form on a page of its own.
  private giveUp(): void {
    const place = this.frame?.parentElement;
    this.unmount();
    if (place && this.instead.length === 0) {
      const link = document.createElement("a");
      link.href = this.url.href;
      link.textContent = this.options.linkText ?? "Open the secure card page";
      place.append(link);
    }
    console.error(
      `CCMS.cardForm: the form did not load. Is ${location.origin} the origin the link was made for, and does this page's policy allow frame-src ${this.url.origin}?`,
    );
    this.options.onError?.({ code: "timeout" });
  }
}

// schemeOf is light or dark where the page is one of them, whatever the person
// likes; a page that says nothing is light. "" leaves it to the person.
function schemeOf(element: Element): string {
  const [one, ...more] = getComputedStyle(element).colorScheme.split(" ").filter((s) => s !== "only");
  if (more.length > 0) return "";
  return one === "dark" ? "dark" : "light";
}

// The frame has no border of its own. The firm's style sheets win over this.
const style = new CSSStyleSheet();
style.replaceSync(":where(iframe.ccms-card-form) { display: block; inline-size: 100%; border: 0; }");
document.adoptedStyleSheets.push(style);

(globalThis as unknown as { CCMS: object }).CCMS = Object.freeze({ version: 1, cardForm: (options: Options) => new CardForm(options) });
