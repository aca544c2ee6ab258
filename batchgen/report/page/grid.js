// The gallery: rows of one height across the page; only what is near the window exists.

const grid = (() => {
  const container = byId("grid");
  const GAP = 14, CAPTION = 26;
  let rows = [];
  let lefts = new Float32Array(0), widths = new Float32Array(0);
  const existing = new Map();
  let lastAbove = 0, settled = 0;

  const layOut = () => {
    const width = container.clientWidth;
    const wanted = Math.min(Number(document.querySelector('[name="size"]:checked').value), width / 2.2);
    rows = [];
    lefts = new Float32Array(order.length);
    widths = new Float32Array(order.length);
    let start = 0, shapes = 0, top = 0;
    for (let at = 0; at < order.length; at++) {
      shapes += shape(order[at]);
      const room = width - GAP * (at - start);
      const last = at === order.length - 1;
      if (room / shapes > wanted && !last) continue;
      const height = Math.min(room / shapes, wanted * (last ? 1 : 1.25));
      let left = 0;
      for (let each = start; each <= at; each++) {
        lefts[each] = left;
        widths[each] = height * shape(order[each]);
        left += widths[each] + GAP;
      }
      rows.push({ top, height, start, end: at + 1 });
      top += height + CAPTION + GAP;
      start = at + 1;
      shapes = 0;
    }
    container.style.height = `${top}px`;
    container.classList.toggle("none", order.length === 0);
  };

  const shape = (item) => Math.min(3, Math.max(0.4, shapeOf(item)));

  const rowAt = (y) => {
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const place = (made, row, at) => {
    made.style.transform = `translate(${lefts[at]}px, ${row.top}px)`;
    made.style.width = `${widths[at]}px`;
    made.style.height = `${row.height + CAPTION}px`;
  };

  const render = () => {
    if (container.clientWidth === 0) return;
    const above = -container.getBoundingClientRect().top;
    // Pictures that fly by are not loaded: they come when the page has slowed down.
    const flying = Math.abs(above - lastAbove) > window.innerHeight / 2;
    lastAbove = above;
    clearTimeout(settled);
    if (flying) settled = setTimeout(render, 80);
    const near = window.innerHeight * 0.75;
    const from = rowAt(above - near), to = rowAt(above + window.innerHeight + near);
    const wanted = new Set();
    const fresh = [];
    for (let number = from; number <= to && rows.length; number++) {
      const row = rows[number];
      for (let at = row.start; at < row.end; at++) {
        const item = order[at];
        wanted.add(item);
        let made = existing.get(item);
        if (!made) {
          made = tile(item);
          made.append(caption(item));
          existing.set(item, made);
          fresh.push(made);
        }
        place(made, row, at);
        if (!flying) fill(made);
      }
    }
    for (const [item, made] of existing) {
      if (wanted.has(item) || made === document.activeElement) continue;
      made.remove();
      existing.delete(item);
    }
    container.append(...fresh);
    letOneBeReached(container);
  };

  const refresh = () => {
    for (const made of existing.values()) made.remove();
    existing.clear();
    layOut();
    render();
  };

  // For paper, which does not scroll: the first of them, one after the other.
  const unroll = () => {
    for (const item of order.slice(0, 240)) {
      if (existing.has(item)) continue;
      const made = tile(item);
      made.append(caption(item));
      existing.set(item, made);
      container.append(made);
    }
    for (const made of existing.values()) fill(made);
  };

  const resize = () => { layOut(); render(); };

  // Brings *item* into the window and the focus to it.
  const focus = (item) => {
    const at = order.indexOf(item);
    if (at < 0) return;
    const row = rows.find(({ end }) => at < end);
    const top = container.getBoundingClientRect().top + row.top;
    if (top < 120 || top + row.height > window.innerHeight) window.scrollBy(0, top - 160);
    render();
    existing.get(item)?.focus({ preventScroll: true });
  };

  return { container, refresh, render, resize, unroll, focus };
})();
