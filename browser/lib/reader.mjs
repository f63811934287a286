// What a screen reader has to go by: the accessibility tree of the browser and
// its live regions. It is no screen reader, but says what one is told.

// Reader listens to a page, from before it loads.
export class Reader {
  static async of(page) {
    const reader = new Reader();
    reader.page = page;
    reader.heard = [];
    reader.tree = await page.context().newCDPSession(page);
    await reader.tree.send("Accessibility.enable");
    await page.exposeFunction("heard", (text) => reader.heard.push(text.replace(/\s+/g, " ").trim()));
    await page.addInitScript(() => {
      const live = "[role=status], [role=alert]";
      const say = (node) => {
        const region = (node.nodeType === 1 ? node : node.parentElement)?.closest(live);
        const text = region?.innerText.trim();
        if (text) window.heard(text);
      };
      new MutationObserver((changes) => {
        for (const change of changes) {
          say(change.target);
          // A box that comes with an alert in it.
          for (const node of change.addedNodes) node.querySelectorAll?.("[role=alert]").forEach(say);
        }
      }).observe(document, { subtree: true, childList: true, characterData: true });
    });
    return reader;
  }

  // here is the element with the focus: "role: name; description", and whether it
  // is invalid.
  async here() {
    const { result } = await this.tree.send("Runtime.evaluate", { expression: "document.activeElement" });
    const { nodes } = await this.tree.send("Accessibility.getPartialAXTree", { objectId: result.objectId, fetchRelatives: false });
    const { role, name, description, properties = [] } = nodes[0];
    const invalid = properties.some((p) => p.name === "invalid" && p.value.value === "true");
    return `${role.value}: ${name?.value ?? ""}${description?.value ? `; ${description.value.replace(/\s+/g, " ")}` : ""}${invalid ? " (invalid)" : ""}`;
  }

  // tab goes on to the next element and returns what it is.
  async tab() {
    await this.page.keyboard.press("Tab");
    return this.here();
  }
}
