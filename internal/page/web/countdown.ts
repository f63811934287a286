// Counts the seconds down that a page asks a person to wait, and says when they
// are over. The numbers between are for the eye: read out they would only
// interrupt.

function countDown(place: HTMLElement): void {
  const until = Date.now() + Number(place.textContent) * 1000;
  const timer = window.setInterval(() => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    place.textContent = String(left);
    if (left > 0) return;
    window.clearInterval(timer);
    place.closest("[data-wait]")?.remove();
    const over = document.querySelector<HTMLElement>("[data-over]");
    if (over) over.textContent = over.dataset["over"] ?? "";
  }, 1000);
}

for (const place of document.querySelectorAll<HTMLElement>("[data-countdown]")) countDown(place);
