// One item as a small picture that can be opened, and moving among such pictures by the keys.

const uncovered = new Set(); // flagged items that somebody asked to see
let order = []; // the items that are found, in the order in which they are shown

// What somebody who looks at it should know, the most urgent first.
const warnings = (item) => [
  value("file", item) && !isPacked(item) ? `file ${value("file", item)}` : null,
  isFlagged(item) ? "flagged" : null,
  value("flags", item),
].filter(Boolean);

const describe = (item) => {
  const state = value("state", item);
  return [...nameOf(item), ...(state === "saved" ? [] : [states[state] ?? state]), ...warnings(item)].join(", ");
};

const pictureOf = (item) => {
  const source = thumbnailOf(item);
  const state = value("state", item);
  if (source === null) {
    const text = state === "saved" ? "no picture" : shown(value("error_class", item) ?? state);
    return make("span", { className: `instead ${state}`, textContent: text });
  }
  const picture = make("img", { alt: "", decoding: "async", draggable: false });
  picture.addEventListener("error", () => {
    const full = imageOf(item);
    // A thumbnail that was not copied along: the image itself does as well.
    if (full !== null && picture.getAttribute("src") !== full) picture.src = full;
    else picture.replaceWith(make("span", { className: "instead", textContent: "no picture" }));
  });
  picture.src = source;
  return picture;
};

const tile = (item) => {
  const made = make("a", { className: "tile", tabIndex: -1, "aria-label": describe(item) });
  made.href = imageOf(item) ?? "#images";
  made.dataset.item = item;
  made.title = (value("prompt", item) ?? "").toString().slice(0, 300);
  if (isFlagged(item)) made.classList.add("flagged");
  if (uncovered.has(item)) made.classList.add("uncovered");
  made.append(make("span", { className: "frame" }));
  const [badge] = warnings(item);
  if (badge) made.append(make("span", { className: "badge", textContent: badge }));
  return made;
};

const fill = (made) => {
  const frame = made.querySelector(".frame");
  if (!frame.hasChildNodes()) frame.append(pictureOf(Number(made.dataset.item)));
  return made;
};

const caption = (item) => {
  const [prompt, ...others] = nameOf(item);
  return make("span", { className: "caption" },
    make("bdi", { textContent: prompt }), make("bdi", { className: "muted", textContent: ` ${others.join(" · ")}` }));
};

const openOnClick = (container, open) => {
  container.addEventListener("click", (event) => {
    const clicked = event.target.closest(".tile");
    if (!clicked || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(Number(clicked.dataset.item));
  });
};

const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The nearest picture on that side, by where it is on the screen.
const neighbour = (container, from, [dx, dy]) => {
  const a = from.getBoundingClientRect();
  let best = null, least = Infinity;
  for (const other of container.querySelectorAll(".tile")) {
    if (other === from) continue;
    const b = other.getBoundingClientRect();
    const x = b.left + b.width / 2 - a.left - a.width / 2, y = b.top + b.height / 2 - a.top - a.height / 2;
    const along = x * dx + y * dy, across = Math.abs(x * dy) + Math.abs(y * dx);
    if (along < 4) continue;
    const far = along + 3 * across;
    if (far < least) [best, least] = [other, far];
  }
  return best;
};

const moveByKeys = (container) => {
  container.addEventListener("keydown", (event) => {
    const direction = directions[event.key];
    const from = event.target.closest(".tile");
    if (!direction || !from) return;
    event.preventDefault();
    focusTile(container, neighbour(container, from, direction));
  });
  container.addEventListener("focusin", (event) => {
    const focused = event.target.closest(".tile");
    if (!focused) return;
    for (const other of container.querySelectorAll('.tile[tabindex="0"]')) other.tabIndex = -1;
    focused.tabIndex = 0;
  });
};

const focusTile = (container, next) => {
  if (!next) return;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
};

// One picture of each view can be reached by Tab, from there the arrows lead on.
const letOneBeReached = (container) => {
  if (container.querySelector('.tile[tabindex="0"]')) return;
  const first = container.querySelector(".tile");
  if (first) first.tabIndex = 0;
};
