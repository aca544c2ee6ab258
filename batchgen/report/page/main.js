// Which view is shown and with which filters: both are read from the address.

const views = ["summary", "images", "matrix", "failures"];
let view = "summary", queried = null;

const route = () => {
  const [name, query = ""] = location.hash.slice(1).split("?");
  view = views.includes(name) ? name : "summary";
  const asked = new URLSearchParams(query);
  for (const section of document.querySelectorAll("section[data-view]")) section.hidden = section.dataset.view !== view;
  for (const tab of document.querySelectorAll(".tabs a")) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
    // Filters go along from one view to the next.
    tab.href = `#${tab.dataset.view}${tab.dataset.view !== "summary" && query ? `?${query}` : ""}`;
  }
  document.querySelector(".filters").hidden = view === "summary";
  document.body.dataset.view = view;
  if (view === "summary") return;
  showFilters(asked);
  if (queried !== query) order = select(asked);
  queried = query;
  const failed = view === "failures" ? order.filter((item) => value("state", item) !== "saved").length : null;
  byId("found").textContent = failed === null
    ? `${order.length.toLocaleString("en")} of ${count.toLocaleString("en")}` : `${failed.toLocaleString("en")}`;
  ({ images: grid, matrix, failures })[view].refresh();
};

const ask = (event) => {
  const query = readFilters().toString();
  const wanted = `#${view}${query ? `?${query}` : ""}`;
  if (location.hash === wanted) return;
  // A choice is a step that Back undoes; a word that is being typed is not.
  if (event) history.pushState(null, "", wanted);
  else history.replaceState(null, "", wanted);
  route();
  if (view !== "matrix") window.scrollTo(0, 0);
};

const setUp = () => {
  buildFilters(ask);
  matrix.build(() => matrix.refresh());
  let waiting = 0;
  byId("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => ask(null), 120); });
  byId("order").addEventListener("change", ask);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", (event) => {
    event.preventDefault();
    location.hash = `#${view}`;
    byId("search").value = "";
  });
  byId("fold").addEventListener("click", (event) => {
    const open = document.querySelector(".filters").classList.toggle("open");
    event.target.setAttribute("aria-expanded", String(open));
  });
  for (const size of document.querySelectorAll('[name="size"]')) size.addEventListener("change", () => grid.resize());
  byId("reveal").addEventListener("change", (event) => document.body.classList.toggle("reveal", event.target.checked));
  for (const container of [grid.container, matrix.container, byId("latest")]) {
    openOnClick(container, viewer.open);
    moveByKeys(container);
  }
  window.addEventListener("hashchange", route);
  window.addEventListener("resize", () => requestAnimationFrame(resized));
  window.addEventListener("scroll", () => requestAnimationFrame(scrolled), { passive: true });
  window.addEventListener("beforeprint", () => { if (view === "images") grid.unroll(); });
  window.addEventListener("afterprint", () => { if (view === "images") grid.refresh(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select") || byId("viewer").open) return;
    event.preventDefault();
    if (view === "summary") location.hash = "#images";
    requestAnimationFrame(() => byId("search").focus());
  });
};

let width = window.innerWidth;

const resized = () => {
  if (width === window.innerWidth) return; // phones hide their address bar while one scrolls
  width = window.innerWidth;
  if (view === "images") grid.resize();
  if (view === "matrix") matrix.refresh();
};

const scrolled = () => { if (view === "images") grid.render(); };

const showLatest = () => {
  const latest = [];
  for (let item = count - 1; item >= 0 && latest.length < 16; item--) {
    if (value("state", item) === "saved" && !isFlagged(item)) latest.push(item);
  }
  order = latest;
  byId("latest").append(...latest.map((item) => {
    const made = fill(tile(item));
    made.style.aspectRatio = String(shapeOf(item));
    return made;
  }));
  letOneBeReached(byId("latest"));
  document.querySelector(".latest").hidden = latest.length === 0;
};

setUp();
showLatest();
route();
