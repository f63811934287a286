/**
 * Puts a button beside what is shown once, to copy it. Without a clipboard, over
 * plain HTTP off this machine, there is none: the text can be selected.
 */
for (const box of document.querySelectorAll<HTMLElement>("[data-copy]")) {
  const text = box.querySelector("code");
  if (text === null || !navigator.clipboard) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = box.dataset.copy ?? "";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  box.append(button, said);
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text.textContent ?? "").then(
      () => (said.textContent = box.dataset.copied ?? ""),
      () => getSelection()?.selectAllChildren(text),
    );
  });
}
