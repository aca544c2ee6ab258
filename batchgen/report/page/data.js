"use strict";
// The rows: one list per column, and words for what they hold.

const data = JSON.parse(document.getElementById("data").textContent);
const count = data.count;
const none = "–";

const value = (name, item) => {
  const column = data.columns[name];
  if (!column) return null;
  return column.list ? column.list[item] : column.values[column.at[item]];
};

const shown = (found) => (found === null || found === "" ? none : String(found));

// What a column holds, each value once, with how many items have it.
const tally = (name) => {
  const counts = new Map();
  for (let item = 0; item < count; item++) {
    const found = value(name, item);
    counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  return counts;
};

const byNature = new Intl.Collator("en", { numeric: true }).compare;

const ordered = (values) =>
  [...values].sort((a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : byNature(shown(a), shown(b)));

// Prompts in the order in which they landed first, all other axes by their values.
const ranks = new Map(data.axes.map((axis) => {
  const found = new Set();
  for (let item = 0; item < count; item++) found.add(value(axis, item));
  const values = axis === "prompt_id" ? [...found] : ordered(found);
  return [axis, new Map(values.map((one, rank) => [one, rank]))];
}));

const rank = (axis, item) => ranks.get(axis).get(value(axis, item));

const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

const isPacked = (item) => value("file", item) === "packed";

const imageOf = (item) => {
  if (isPacked(item)) return thumbnailOf(item);  // no page can look into a shard
  const name = value("file_name", item);
  return name === null || ["missing", "put aside"].includes(value("file", item)) ? null : encoded(name);
};

const thumbnailOf = (item) => {
  const hash = value("sha256", item);
  if (hash === null || (value("file", item) && !isPacked(item))) return imageOf(item);
  return `.thumbs/${hash.slice(0, 2)}/${hash}.webp`;
};

// Width by height; a variant without an image has the shape it was asked for.
const shapeOf = (item) => {
  const width = value("width", item), height = value("height", item);
  if (width > 0 && height > 0) return width / height;
  const asked = /^(\d+):(\d+)$/.exec(shown(value("aspect_ratio", item)));
  return asked && asked[1] > 0 && asked[2] > 0 ? asked[1] / asked[2] : 1;
};

const isFlagged = (item) => value("nsfw", item) === true;

const nameOf = (item) =>
  [...new Set(["prompt_id", ...data.axes])]
    .filter((axis) => axis === "prompt_id" || value(axis, item) !== null)
    .map((axis) => shown(value(axis, item)));

const states = {
  saved: "saved", short: "with fewer images than asked for", failed: "failed",
  uncertain: "may have been paid", expired: "expired",
};

const labels = {
  prompt_id: "prompt", aspect_ratio: "ratio", nsfw: "NSFW", negative_prompt: "negative prompt",
};

const labelOf = (name) => labels[name] ?? name.replaceAll("_", " ");

// Elements are made of names and texts alone: nothing is ever parsed as HTML.
const make = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, given] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, given);
    else made[name] = given;
  }
  made.append(...children);
  return made;
};

const byId = (id) => document.getElementById(id);
