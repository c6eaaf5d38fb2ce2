// What a page owes to those who do not see it as it was drawn: every fault found, each as one line.
() => {
  const faults = [];
  const told = (node) => {
    const id = node.id ? `#${node.id}` : "";
    const text = (node.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${node.localName}${id}${node.className?.baseVal ?? node.className ? "." + String(node.className?.baseVal ?? node.className).trim().replace(/\s+/g, ".") : ""}> "${text}"`;
  };
  const wrong = (what, node) => faults.push(node ? `${what}: ${told(node)}` : what);
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) => !node.closest("template"));
  const shown = (node) => node.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && node.getClientRects().length > 0;
  const forReaders = (node) => shown(node) && !node.closest('[aria-hidden="true"]');

  // names
  const textOf = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || node.getAttribute("aria-hidden") === "true" || node.hidden) return "";
    if (node.hasAttribute("aria-label")) return node.getAttribute("aria-label");
    if (node.localName === "img") return node.alt;
    return [...node.childNodes].map(textOf).join(" ");
  };
  const byId = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id));
  const nameOf = (node) => {
    if (node.hasAttribute("aria-labelledby")) return byId(node.getAttribute("aria-labelledby")).map((each) => (each ? textOf(each) : "")).join(" ").trim();
    if (node.hasAttribute("aria-label")) return node.getAttribute("aria-label").trim();
    const labels = node.labels ? [...node.labels].map(textOf).join(" ").trim() : "";
    const own = ["input", "select", "textarea", "table", "nav"].includes(node.localName) ? "" : textOf(node).trim();
    return labels || own || node.getAttribute("alt") || node.getAttribute("title") || "";
  };
  const CONTROLS = 'a[href], button, input:not([type="hidden"]), select, textarea, summary, [role="button"], [role="region"], [tabindex="0"]';
  const controls = all(CONTROLS).filter(forReaders);
  for (const node of controls) if (!nameOf(node)) wrong("a control without a name", node);
  for (const node of all("section[aria-labelledby], section[aria-label], nav")) if (forReaders(node) && !nameOf(node)) wrong("a part without a name", node);
  for (const node of all("img")) if (!node.hasAttribute("alt")) wrong("a picture without alt", node);
  for (const node of all("svg").filter((each) => !each.parentElement.closest("svg"))) {
    if (forReaders(node) && !(node.getAttribute("role") === "img" && nameOf(node))) wrong("a drawing that is neither hidden nor named", node);
  }
  for (const node of all("a[href]")) if (node.closest('[aria-hidden="true"]')) wrong("a hidden link that gets the focus", node);

  // what refers to something
  const ids = all("[id]").map((node) => node.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) wrong(`two elements with the id ${id}`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const node of all(`[${name}]`)) if (byId(node.getAttribute(name)).includes(null)) wrong(`${name} of nothing`, node);
  }

  // headings and landmarks
  const headings = all("h1, h2, h3, h4, h5, h6").filter((node) => !node.closest('[aria-hidden="true"]'));
  const levels = headings.map((node) => Number(node.localName[1]));
  if (levels.filter((level) => level === 1).length !== 1) wrong(`${levels.filter((level) => level === 1).length} h1`);
  if (levels.length && levels[0] !== 1) wrong("the first heading is no h1", headings[0]);
  levels.forEach((level, place) => { if (place && level > levels[place - 1] + 1) wrong("a heading skips a level", headings[place]); });
  for (const node of headings) if (!textOf(node).trim()) wrong("an empty heading", node);
  if (all("main").length !== 1) wrong(`${all("main").length} main`);
  const landmark = "main, header, nav, footer, aside, .skip";
  for (const node of document.body.children) {
    if (!node.matches(landmark) && shown(node) && node.textContent.trim() && !node.matches("script, template")) wrong("content outside every landmark", node);
  }
  if (!/^(ru|en)$/.test(document.documentElement.lang)) wrong(`lang is ${document.documentElement.lang}`);
  if (!document.title.trim()) wrong("no title");
  if (/user-scalable=no|maximum-scale=1(?!\d)/.test(document.querySelector('meta[name="viewport"]')?.content ?? "")) wrong("the page cannot be enlarged");

  // tables and lists
  for (const node of all("table")) {
    if (!(node.caption?.textContent.trim() || nameOf(node) || (node.closest("[aria-labelledby], [aria-label]") && nameOf(node.closest("[aria-labelledby], [aria-label]"))))) wrong("a table without a caption", node);
    if (!node.querySelector("th")) wrong("a table without headers", node);
  }
  for (const node of all("th")) {
    if (!["col", "row", "colgroup", "rowgroup"].includes(node.scope)) wrong("a header without scope", node);
    if (!textOf(node).trim()) wrong("an empty header", node);
  }
  for (const node of all("ul > *, ol > *")) if (!node.matches("li, script, template")) wrong("no item of a list", node);
  for (const node of all("li")) if (!node.closest("ul, ol, menu")) wrong("an item of no list", node);
  for (const node of all("dt, dd")) if (!node.parentElement.matches("dl, dl > div")) wrong("a term outside its list", node);

  // size of what is pressed (WCAG 2.5.8; links in a sentence or a cell are excepted there)
  for (const node of controls.filter((each) => each.matches("button, select, summary, input, a.button"))) {
    const box = node.getBoundingClientRect();
    if (Math.min(box.width, box.height) < 24 && !node.closest("label")) wrong(`${Math.round(box.width)}x${Math.round(box.height)} is small to press`, node);
  }
  for (const node of all("[tabindex]")) if (node.tabIndex > 0) wrong("a tabindex of its own order", node);
  for (const node of all(".scroll")) {
    const scrolls = node.scrollWidth > node.clientWidth && !node.querySelector("a[href], button");
    if (scrolls && node.tabIndex < 0) wrong("scrolled with a mouse only", node);
  }

  // contrast of every text with what is behind it; texts in drawings stand on the drawing's ground
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [red, green, blue, alpha / 255]);
    }
    return known.get(colour);
  };
  const over = (upper, lower) => [0, 1, 2].map((part) => upper[part] * upper[3] + lower[part] * (1 - upper[3])).concat(1);
  const ground = (node) => {
    const layers = [];
    for (let each = node; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const opacity = (node) => {
    let found = 1;
    for (let each = node; each; each = each.parentElement) found *= Number(getComputedStyle(each).opacity);
    return found;
  };
  const light = (colour) => {
    const [red, green, blue] = colour.slice(0, 3).map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [less, more] = [light(one), light(other)].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(node) || !shown(node) || node.closest("script, style, template, title, datalist, :disabled")) continue;
    seen.add(node);
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    if (box.width <= 1 || box.height <= 1 || [node, node.parentElement].some((each) => getComputedStyle(each).clipPath !== "none")) continue;
    if (node.closest(".skip")) continue;
    const behind = ground(node);
    const [red, green, blue, alpha] = rgba(node.closest("svg") ? style.fill : style.color);
    const ratio = contrast(over([red, green, blue, alpha * opacity(node)], behind), behind);
    if (ratio < 4.5) wrong(`contrast ${ratio.toFixed(2)}`, node);
  }
  return [...new Set(faults)];
}
