// A button beside each password that shows what was typed. It remembers
// nothing, and what is sent or left is hidden first, so that no browser takes it
// for an ordinary text.

function reveal(input: HTMLInputElement): void {
  const { show = "", hide = "", shown = "", hidden = "" } = input.dataset;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second reveal";
  button.setAttribute("aria-controls", input.id);
  const status = document.createElement("span");
  status.className = "hidden";
  status.setAttribute("role", "status");

  function set(visible: boolean): void {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? hide : show;
  }
  button.addEventListener("click", () => {
    set(input.type === "password");
    status.textContent = input.type === "text" ? shown : hidden;
  });
  input.form?.addEventListener("submit", () => set(false));
  window.addEventListener("pagehide", () => set(false));

  // What hides a password from spelling services must hold while it is shown.
  input.spellcheck = false;
  input.autocapitalize = "none";
  set(false);
  input.after(button, status);
}

for (const input of document.querySelectorAll<HTMLInputElement>("input[data-show]")) reveal(input);
