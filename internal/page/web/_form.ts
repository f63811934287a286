// What every enhanced form does: errors at their fields, a summary that takes
// the focus, one sending at a time. Texts come with the page.

export type Texts = Record<string, string>;

// texts reads the catalogue's texts that the page carries.
export function texts(): Texts {
  return JSON.parse(document.getElementById("texts")?.textContent ?? "{}") as Texts;
}

// fill puts values in for {0}, {1} …
export function fill(text: string | undefined, ...values: (string | number)[]): string {
  return (text ?? "").replace(/\{(\d)\}/g, (_, i: string) => String(values[+i] ?? ""));
}

export class FormErrors {
  private readonly title = document.title;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly t: Texts,
  ) {}

  input(id: string): HTMLInputElement {
    return this.form.querySelector<HTMLInputElement>(`#${id}`)!;
  }

  has(id: string): boolean {
    return this.input(id).getAttribute("aria-invalid") === "true";
  }

  // set shows an error at a field, or takes it away.
  set(id: string, message: string): void {
    const place = this.form.querySelector(`#${id}-error`)!;
    place.replaceChildren();
    if (message === "") {
      this.input(id).removeAttribute("aria-invalid");
      return;
    }
    const prefix = document.createElement("span");
    prefix.className = "hidden";
    prefix.textContent = this.t["prefix"] + " ";
    place.append(prefix, message);
    // A summary that stands says the same as the field.
    const listed = document.querySelector(`#summary a[href="#${id}"]`);
    if (listed) listed.textContent = message;
    this.input(id).setAttribute("aria-invalid", "true");
  }

  // summary lists errors at the top of the page and takes the focus there.
  // The box that takes it and the alert inside are two elements: else a screen
  // reader loses one of the two announcements.
  summary(errors: Map<string, string>, notice = "", onward: { link?: string; linkText?: string } = {}): void {
    document.getElementById("summary")?.remove();
    if (errors.size === 0 && notice === "") {
      document.title = this.title;
      return;
    }
    const box = document.createElement("div");
    box.id = "summary";
    box.className = "summary";
    box.tabIndex = -1;
    const alert = document.createElement("div");
    alert.setAttribute("role", "alert");
    const heading = document.createElement("h2");
    heading.id = "summary-title";
    heading.textContent = this.t["summary"]!;
    box.setAttribute("aria-labelledby", heading.id);
    alert.append(heading);
    if (notice !== "") {
      const p = document.createElement("p");
      p.textContent = notice;
      if (onward.link && onward.linkText) {
        const a = document.createElement("a");
        a.href = onward.link;
        a.textContent = onward.linkText;
        p.append(" ", a);
      }
      alert.append(p);
    }
    const list = document.createElement("ul");
    for (const [id, message] of errors) {
      const link = document.createElement("a");
      link.href = `#${id}`;
      link.textContent = message;
      link.addEventListener("click", (e) => {
        e.preventDefault();
        this.input(id).focus();
      });
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    if (errors.size > 0) alert.append(list);
    box.append(alert);
    document.querySelector("main")!.prepend(box);
    document.title = `${this.t["prefix"]} ${this.title}`;
    box.focus();
  }

  // shrink takes an error that was mended out of a summary that stands.
  shrink(id: string): void {
    const box = document.getElementById("summary");
    box?.querySelector(`a[href="#${id}"]`)?.closest("li")?.remove();
    if (box && !box.querySelector("li") && !box.querySelector("p")) {
      box.remove();
      document.title = this.title;
    }
  }
}
