// The matrix: one axis down, one across, all others within a cell; only cells near the window exist.

const matrix = (() => {
  const container = byId("cells");
  const MOST = 16; // pictures in one cell
  const GAP = 10;
  let cells = new Map(), across = [], down = [], abreast = 1;
  let side = 0, wide = 0, tall = 0, head = 0; // pixels: height of a picture, cell, names of rows
  let columnNames, rowNames, plane;
  const existing = new Map();

  const axisOptions = () => (data.axes.length > 1 ? data.axes : [...new Set([...data.axes, "state"])]);

  const build = (changed) => {
    const options = axisOptions();
    for (const [id, preferred] of [["rows", options[0]], ["columns", telling(options)]]) {
      for (const axis of options) byId(id).append(make("option", { value: axis, textContent: labelOf(axis) }));
      byId(id).value = preferred;
      byId(id).addEventListener("change", () => { part(id); changed(); });
    }
    byId("swap").addEventListener("click", () => {
      [byId("rows").value, byId("columns").value] = [byId("columns").value, byId("rows").value];
      changed();
    });
    container.addEventListener("scroll", () => requestAnimationFrame(render), { passive: true });
  };

  // The first axis that varies apart from the rows; derived seeds belong to one prompt each.
  const telling = ([rowAxis, ...others]) => others.find((axis) => {
    const met = new Set();
    for (let item = 0; item < count; item++) met.add(JSON.stringify([value(rowAxis, item), value(axis, item)]));
    return met.size > Math.max(tally(rowAxis).size, tally(axis).size);
  }) ?? others[0] ?? rowAxis;

  // The same axis twice would be a diagonal: the other one gives way.
  const part = (id) => {
    const other = byId(id === "rows" ? "columns" : "rows");
    if (other.value !== byId(id).value) return;
    other.value = axisOptions().find((axis) => axis !== byId(id).value) ?? other.value;
  };

  const sort = (axis, found) => {
    const known = ranks.get(axis);
    return known ? [...found].sort((a, b) => known.get(a) - known.get(b)) : ordered(found);
  };

  const refresh = () => {
    const rowAxis = byId("rows").value, columnAxis = byId("columns").value;
    const rowsFound = new Set(), columnsFound = new Set();
    for (const item of order) {
      rowsFound.add(value(rowAxis, item));
      columnsFound.add(value(columnAxis, item));
    }
    down = sort(rowAxis, rowsFound);
    across = sort(columnAxis, columnsFound);
    const rowNumbers = new Map(down.map((one, at) => [one, at]));
    const columnNumbers = new Map(across.map((one, at) => [one, at]));
    cells = new Map();
    let most = 1;
    for (const item of order) {
      const key = rowNumbers.get(value(rowAxis, item)) * across.length + columnNumbers.get(value(columnAxis, item));
      if (!cells.has(key)) cells.set(key, []);
      most = Math.max(most, cells.get(key).push(item));
    }
    measure(Math.min(most, MOST));
    describeWithin(rowAxis, columnAxis);
    existing.clear();
    columnNames = make("div", { className: "across" });
    rowNames = make("div", { className: "down" });
    plane = make("div", { className: "plane" });
    container.replaceChildren(make("div", { className: "corner" }), columnNames, rowNames, plane);
    const width = across.length * (wide + GAP), height = down.length * (tall + GAP);
    container.style.gridTemplateColumns = `${head}px ${width}px`;
    container.style.gridTemplateRows = `36px ${height}px`;
    container.classList.toggle("none", order.length === 0);
    render();
  };

  // Up to four pictures stand side by side, more in rows; all cells are as large as the largest.
  const measure = (most) => {
    const narrow = window.innerWidth < 640;
    head = narrow ? 84 : 150;
    abreast = most <= 4 ? most : Math.ceil(Math.sqrt(most));
    side = (narrow ? [100, 72, 60, 48] : [150, 116, 100, 84])[Math.min(abreast, 4) - 1];
    tall = 0;
    wide = 44;
    for (const found of cells.values()) {
      const rows = inRows(found);
      tall = Math.max(tall, rows.length * (side + 4) - 4);
      for (const row of rows) wide = Math.max(wide, row.reduce((sum, item) => sum + side * shapeWithin(item) + 4, -4));
    }
  };

  const shapeWithin = (item) => Math.min(2.4, Math.max(0.4, shapeOf(item)));

  const inRows = (items) => {
    const rows = [];
    for (let at = 0; at < Math.min(items.length, MOST); at += abreast) rows.push(items.slice(at, Math.min(at + abreast, MOST)));
    return rows;
  };

  const describeWithin = (rowAxis, columnAxis) => {
    const rest = data.axes.filter((axis) => axis !== rowAxis && axis !== columnAxis).map(labelOf);
    byId("within").textContent = rest.length ? `Within a cell: ${rest.join(", ")}` : "";
  };

  const render = () => {
    if (container.clientWidth === 0) return;
    const near = 300;
    const range = (from, room, number, step) => [
      Math.max(0, Math.floor((from - near) / step)),
      Math.min(number - 1, Math.ceil((from + room + near) / step)),
    ];
    const [top, bottom] = range(container.scrollTop, container.clientHeight, down.length, tall + GAP);
    const [left, right] = range(container.scrollLeft, container.clientWidth, across.length, wide + GAP);
    const wanted = new Set();
    for (let row = top; row <= bottom; row++) {
      ensure(wanted, `r${row}`, rowNames, () => name(down[row], head - 12, 0, row * (tall + GAP)));
      for (let column = left; column <= right; column++) {
        const found = cells.get(row * across.length + column);
        ensure(wanted, `${row}.${column}`, plane, () => drawCell(found, column * (wide + GAP), row * (tall + GAP)));
      }
    }
    for (let column = left; column <= right; column++) {
      ensure(wanted, `c${column}`, columnNames, () => name(across[column], wide, column * (wide + GAP), 0));
    }
    for (const [key, made] of existing) {
      if (wanted.has(key) || made.contains(document.activeElement)) continue;
      made.remove();
      existing.delete(key);
    }
    letOneBeReached(container);
  };

  const ensure = (wanted, key, parent, draw) => {
    wanted.add(key);
    if (existing.has(key)) return;
    const made = draw();
    existing.set(key, made);
    parent.append(made);
  };

  const name = (text, width, x, y) => {
    const made = make("div", { className: "name", title: shown(text) }, make("bdi", { textContent: shown(text) }));
    made.style.transform = `translate(${x}px, ${y}px)`;
    made.style.width = `${width}px`;
    return made;
  };

  const drawCell = (found, x, y) => {
    const made = make("div", { className: found ? "cell" : "cell bare" });
    made.style.transform = `translate(${x}px, ${y}px)`;
    made.style.width = `${wide}px`;
    made.style.height = `${tall}px`;
    for (const row of inRows(found ?? [])) {
      made.append(make("div", { className: "abreast" }, ...row.map((item) => {
        const picture = fill(tile(item));
        picture.title = nameOf(item).join(" · ");
        picture.style.width = `${side * shapeWithin(item)}px`;
        picture.style.height = `${side}px`;
        return picture;
      })));
    }
    if (found && found.length > MOST) {
      made.append(make("span", { className: "more", textContent: `${found.length - MOST} more` }));
    }
    return made;
  };

  return { container, build, refresh, render };
})();
