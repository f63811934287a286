// What people type and paste where digits are asked for.

const digit = /\p{Nd}/u;

// valueOf is the value of a decimal digit of any script. Unicode keeps the ten
// of a script together and in order, so the nearest code point below that is no
// digit, or the tenth, tells where they begin.
function valueOf(char: string): number {
  const code = char.codePointAt(0)!;
  if (code < 0x80) return code - 0x30;
  let first = code;
  while (digit.test(String.fromCodePoint(first - 1))) first--;
  return (code - first) % 10;
}

// digitsOf keeps the digits of a text, as ASCII.
export function digitsOf(text: string): string {
  let digits = "";
  for (const char of text) if (digit.test(char)) digits += valueOf(char);
  return digits;
}
