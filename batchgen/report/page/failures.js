// Variants without all their images, by the reason, with what the service said.

const failures = (() => {
  const container = byId("reasons");
  const STEP = 100;

  const paidWords = new Map([[true, "paid"], [false, "not paid"], [null, "may have been paid"]]);

  const line = (item) =>
    make("li", {},
      make("button", { type: "button", className: "name", "data-item": item },
        make("bdi", { textContent: nameOf(item).join(" · ") })),
      make("p", { className: "why", dir: "auto", textContent: shown(value("error", item)) }),
      make("p", { className: "muted", textContent: [
        states[value("state", item)] ?? value("state", item),
        paidWords.get(value("paid", item)) ?? shown(value("paid", item)),
        value("attempts", item) === 1 ? "1 attempt" : `${shown(value("attempts", item))} attempts`,
      ].join(" · ") }));

  const group = (reason, items) => {
    const list = make("ul");
    const more = make("button", { type: "button", className: "quiet" });
    let next = 0;
    const grow = () => {
      list.append(...items.slice(next, next + STEP).map(line));
      next += STEP;
      more.hidden = next >= items.length;
      more.textContent = `Show ${Math.min(STEP, items.length - next)} of ${(items.length - next).toLocaleString("en")} more`;
    };
    more.addEventListener("click", grow);
    grow();
    const title = make("h2", {}, make("bdi", { textContent: reason }), ` ${items.length.toLocaleString("en")}`);
    return make("section", { className: "reason" }, title, list, more);
  };

  const refresh = () => {
    const groups = new Map();
    for (const item of order) {
      if (value("state", item) === "saved") continue;
      const reason = reasonOf(item);
      if (!groups.has(reason)) groups.set(reason, []);
      groups.get(reason).push(item);
    }
    const sections = [...groups].sort((a, b) => b[1].length - a[1].length).map(([r, items]) => group(r, items));
    container.replaceChildren(...sections);
    container.classList.toggle("none", sections.length === 0);
  };

  container.addEventListener("click", (event) => {
    const clicked = event.target.closest("[data-item]");
    if (clicked) viewer.open(Number(clicked.dataset.item));
  });

  return { container, refresh };
})();
