// One item at full size with everything that is known of it.

const viewer = (() => {
  const dialog = byId("viewer"), full = byId("full"), instead = byId("instead");
  const first = ["variant_key", "prompt_id", "seed", "aspect_ratio", "nsfw", "state", "error_class", "error"];
  const apart = new Set(["prompt", "file"]); // said elsewhere
  let current = -1, returnTo = null;

  const open = (item) => {
    returnTo = document.activeElement;
    if (!dialog.open) dialog.showModal();
    show(item);
    byId("close").focus({ preventScroll: true });
  };

  const show = (item) => {
    current = item;
    const at = order.indexOf(item);
    byId("position").textContent = at < 0 ? "" : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
    byId("previous").disabled = at <= 0;
    byId("next").disabled = at < 0 || at >= order.length - 1;
    const [prompt, ...others] = nameOf(item);
    byId("heading").replaceChildren(make("bdi", { textContent: prompt }), make("small", { textContent: others.join(" · ") }));
    byId("words").textContent = value("prompt", item) ?? "";
    picture(item);
    details(item);
    explain(item);
    dialog.querySelector("aside").scrollTop = 0;
  };

  const picture = (item) => {
    const source = imageOf(item);
    const covered = isFlagged(item) && !uncovered.has(item) && !byId("reveal").checked;
    const problem = source === null ? absence(item) : "";
    instead.textContent = problem;
    instead.hidden = !problem;
    full.hidden = Boolean(problem);
    byId("uncover").hidden = !covered || Boolean(problem);
    dialog.classList.toggle("covered", covered);
    full.alt = value("prompt", item) ?? "";
    full.width = value("width", item) || 512;
    full.height = value("height", item) || 512;
    if (problem) full.removeAttribute("src");
    // What is covered is never loaded at full size; the small picture stands in until it is here.
    else full.src = thumbnailOf(item);
    if (problem || covered) return;
    const loader = new Image();
    loader.onload = () => { if (current === item) full.src = source; };
    loader.onerror = () => {
      if (current !== item) return;
      instead.textContent = `The file is not there: ${value("file_name", item)}`;
      instead.hidden = false;
      full.hidden = true;
    };
    loader.src = source;
  };

  const absence = (item) => {
    const state = value("state", item);
    const name = shown(value("file_name", item));
    if (value("file", item) === "put aside") return `Flagged, and put aside as the job asks: ${name}`;
    if (state === "saved") return `The file is not there: ${name}`;
    return shown(value("error", item) ?? value("error_class", item) ?? state);
  };

  const details = (item) => {
    const names = [...new Set([...first, ...Object.keys(data.columns)])].filter((name) => !apart.has(name));
    const list = byId("details");
    list.replaceChildren();
    if (isPacked(item)) list.append(...pair("file", "in a shard; this is its thumbnail"));
    else if (value("file", item)) {
      list.append(...pair("file", value("file", item) === "changed"
        ? "changed: not the image that the manifest describes" : value("file", item)));
    }
    for (const name of names) {
      const found = value(name, item);
      if (found !== null && found !== "") list.append(...pair(labelOf(name), String(found)));
    }
    const source = isPacked(item) ? null : imageOf(item);
    byId("links").replaceChildren(...(source === null ? [] : [make("a",
      { href: source, target: "_blank", rel: "noopener", textContent: "Open the file" })]));
  };

  const pair = (name, text) =>
    [make("dt", { textContent: name }), make("dd", { dir: "auto", textContent: text })];

  const explain = (item) => {
    const key = shown(value("variant_key", item));
    const sound = /^[A-Za-z0-9_-]{1,128}$/.test(key); // it is put on a command line
    byId("explain").hidden = !sound;
    byId("command").value = sound ? `batchgen plan .batchgen/job.yaml --explain ${key}` : "";
    byId("copy").textContent = "Copy";
  };

  const step = (by) => {
    const next = order[order.indexOf(current) + by];
    if (order.indexOf(current) >= 0 && next !== undefined) show(next);
  };

  const uncover = () => {
    uncovered.add(current);
    for (const made of document.querySelectorAll(`.tile[data-item="${current}"]`)) made.classList.add("uncovered");
    show(current);
  };

  byId("close").addEventListener("click", () => dialog.close());
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("uncover").addEventListener("click", uncover);
  byId("command").addEventListener("focus", (event) => event.target.select());
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(byId("command").value);
      byId("copy").textContent = "Copied";
    } catch {
      byId("command").focus(); // selected, for Ctrl-C
    }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.target === byId("command")) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    full.removeAttribute("src");
    if (!byId("view-images").hidden) grid.focus(current);
    else returnTo?.focus({ preventScroll: true });
  });

  return { open };
})();
