// Filters: what is asked for stands in the address, so that Back works and a view can be kept.

const MOST_CHOICES = 300;
const flags = new Map([["true", "flagged"], ["false", "not flagged"], ["null", "not told"]]);

const reasonOf = (item) => String(value("error_class", item) ?? value("state", item));

const filterable = (() => {
  const found = new Map();
  const offer = (name, of, label) => {
    const counts = new Map();
    for (let item = 0; item < count; item++) {
      const key = String(of(item));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    if (counts.size > 1) found.set(name, { of, label, counts });
  };
  for (const axis of data.axes) offer(axis, (item) => value(axis, item), labelOf(axis));
  // Variants that failed do not tell theirs.
  if ([...tally("model").keys()].filter((one) => one !== null).length > 1) {
    offer("model", (item) => value("model", item), "model");
  }
  offer("nsfw", (item) => value("nsfw", item), "NSFW");
  offer("flags", (item) => value("flags", item) ?? "", "look at");
  offer("state", (item) => value("state", item), "state");
  offer("reason", reasonOf, "reason");
  offer("file", (item) => value("file", item) || "present", "file");
  return found;
})();

// Texts to search in, made when somebody searches; prompts are long and few, so each once.
const searchable = ["prompt", "negative_prompt", "prompt_id", "file_name", "variant_key",
  "prediction_id", "error_class", "error", "seed"].filter((name) => data.columns[name]);
let lowered = null;

const matching = (words) => {
  lowered ??= searchable.map((name) => {
    const { list, values, at } = data.columns[name];
    return { texts: (list ?? values).map((one) => (one === null ? "" : String(one).toLowerCase())), at };
  });
  const hits = new Uint8Array(count).fill(1);
  for (const word of words) {
    const columns = lowered.map(({ texts, at }) => ({ has: texts.map((text) => text.includes(word)), at }));
    for (let item = 0; item < count; item++) {
      hits[item] &&= columns.some(({ has, at }) => has[at ? at[item] : item]) ? 1 : 0;
    }
  }
  return hits;
};

const select = (asked) => {
  const words = (asked.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length ? matching(words) : null;
  const tests = [];
  for (const [name, { of }] of filterable) {
    if (asked.has(name)) tests.push([of, asked.get(name)]);
  }
  const found = [];
  for (let item = 0; item < count; item++) {
    if (hits && !hits[item]) continue;
    if (tests.every(([of, wanted]) => String(of(item)) === wanted)) found.push(item);
  }
  return sorted(found, asked.get("order") ?? "prompt");
};

const sorted = (items, order) => {
  if (order === "landed") return items;
  if (order === "newest") return items.reverse();
  const axes = data.axes.map((axis) => [ranks.get(axis), data.columns[axis]]);
  const weights = new Map(items.map((item) => [item, axes.map(([known, column]) =>
    known.get(column ? (column.list ? column.list[item] : column.values[column.at[item]]) : null))]));
  return items.sort((a, b) => {
    const left = weights.get(a), right = weights.get(b);
    for (let axis = 0; axis < left.length; axis++) {
      if (left[axis] !== right[axis]) return left[axis] - right[axis];
    }
    return a - b;
  });
};

const wordFor = (name, key) => {
  if (name === "nsfw") return flags.get(key);
  if (name === "state") return states[key] ?? key;
  return key === "null" || key === "" ? none : key;
};

const buildFilters = (onChange) => {
  for (const [name, { label, counts }] of filterable) {
    const keys = name === "prompt_id" ? [...counts.keys()] : ordered(counts.keys());
    let control;
    if (keys.length <= MOST_CHOICES) {
      control = make("select", {}, make("option", { value: "*", textContent: "any" }));
      for (const key of keys) {
        const text = `${wordFor(name, key)}  (${counts.get(key).toLocaleString("en")})`;
        control.append(make("option", { value: `=${key}`, textContent: text }));
      }
    } else {
      control = make("input", { type: "text", placeholder: "any", size: 8, autocomplete: "off" });
    }
    control.dataset.filter = name;
    control.addEventListener("change", onChange);
    byId("filters").append(make("label", { className: "field" }, make("span", { textContent: label }), control));
  }
};

const controls = () => document.querySelectorAll("#filters [data-filter]");

const readFilters = () => {
  const asked = new URLSearchParams();
  for (const control of controls()) {
    const chosen = control.value;
    if (control.tagName === "SELECT" ? chosen !== "*" : chosen !== "") {
      asked.set(control.dataset.filter, control.tagName === "SELECT" ? chosen.slice(1) : chosen);
    }
  }
  if (byId("search").value.trim()) asked.set("q", byId("search").value.trim());
  if (byId("order").value !== "prompt") asked.set("order", byId("order").value);
  return asked;
};

const showFilters = (asked) => {
  for (const control of controls()) {
    const wanted = asked.get(control.dataset.filter);
    if (control.tagName === "SELECT") control.value = wanted === null ? "*" : `=${wanted}`;
    else control.value = wanted ?? "";
    control.classList.toggle("set", wanted !== null);
  }
  if (byId("search") !== document.activeElement) byId("search").value = asked.get("q") ?? "";
  byId("order").value = asked.get("order") ?? "prompt";
  byId("clear").hidden = ![...asked.keys()].some((name) => name !== "order");
};
