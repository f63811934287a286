// How the form in a frame may look like the page around it. A firm chooses from
// few things with few values: never a style of its own, which could hide a field
// or load something, and never colours that cannot be read (WCAG 1.4.3, 1.4.11).

const color = (v: unknown) => (typeof v === "string" && /^#[0-9a-f]{6}$/i.test(v) ? v : undefined);
const between = (low: number, high: number, unit: string) => (v: unknown) => (typeof v === "number" && v >= low && v <= high ? v + unit : undefined);
const fonts: Record<string, string> = { system: "system-ui, sans-serif", sans: "sans-serif", serif: "serif", rounded: "ui-rounded, system-ui, sans-serif", mono: "ui-monospace, monospace" };
const font = (v: unknown) => (typeof v === "string" && Object.hasOwn(fonts, v) ? fonts[v] : undefined);

// choices are what may be chosen: the custom property it stands in, and the
// value that it takes there.
const choices: Record<string, [property: string, value: (v: unknown) => string | undefined]> = {
  text: ["--ink", color],
  hint: ["--quiet", color],
  background: ["--paper", color],
  border: ["--line", color],
  error: ["--alarm", color],
  button: ["--button", color],
  buttonText: ["--button-ink", color],
  font: ["--font", font],
  fontSize: ["--size", between(16, 24, "px")], // smaller makes telephones zoom
  radius: ["--radius", between(0, 24, "px")],
  spacing: ["--step", between(8, 32, "px")],
};

// pairs are what must be told apart, and how well.
const pairs: [name: string, front: string, frontOf: keyof CSSStyleDeclaration & string, behind: string, least: number][] = [
  ["text on background", "body", "color", "body", 4.5],
  ["hint on background", ".hint", "color", "body", 4.5],
  ["error on background", ".wrong", "color", "body", 4.5],
  ["buttonText on button", "button[type=submit]", "color", "button[type=submit]", 4.5],
  ["border on background", "input:not([type=hidden])", "borderTopColor", "body", 3],
];

// luminance is that of WCAG 2.2 for a computed color.
function luminance(rgb: string): number {
  const [r = 0, g = 0, b = 0] = (rgb.match(/[\d.]+/g) ?? []).map((v) => {
    const c = +v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

// faint are the pairs as they look now that cannot be told apart well enough.
function faint(): string[] {
  const style = (selector: string) => getComputedStyle(document.querySelector(selector) ?? document.body);
  return pairs.flatMap(([name, front, of, behind, least]) => {
    const is = contrast(String(style(front)[of]), style(behind).backgroundColor);
    return is < least ? [`${name}: the contrast is ${is.toFixed(1)}, at least ${least} is needed`] : [];
  });
}

// appear takes over what was chosen, in the place of what was chosen before, and
// returns what is wrong with it; then nothing changes.
export function appear(chosen: Record<string, unknown>): string[] {
  const root = document.documentElement;
  const before = root.style.cssText;
  const wrong: string[] = [];
  for (const [, [property]] of Object.entries(choices)) root.style.removeProperty(property);
  for (const [name, value] of Object.entries(chosen)) {
    const [property, read] = Object.hasOwn(choices, name) ? choices[name]! : [];
    const css = read?.(value);
    if (property === undefined) wrong.push(`${name} cannot be chosen`);
    else if (css === undefined) wrong.push(`${name} does not take this value`);
    else root.style.setProperty(property, css);
  }
  if (wrong.length === 0) wrong.push(...faint());
  if (wrong.length > 0) root.style.cssText = before;
  return wrong;
}
