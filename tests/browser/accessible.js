// What a page owes to those who do not see it as it was drawn, and axe-core does not ask: every fault as one line.
() => {
  const faults = [];
  const told = (node) => `<${node.localName}${node.id ? `#${node.id}` : ""} class="${node.getAttribute("class") ?? ""}"> "${(node.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  const wrong = (what, node) => faults.push(`${what}: ${told(node)}`);
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) => !node.closest("template"));
  const shown = (node) => node.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && node.getClientRects().length > 0;
  const forReaders = (node) => shown(node) && !node.closest('[aria-hidden="true"]');

  // drawings: axe asks for a name of those only that say role=img
  for (const node of all("svg").filter((each) => !each.parentElement.closest("svg"))) {
    if (forReaders(node) && !(node.getAttribute("role") === "img" && (node.getAttribute("aria-label") ?? "").trim())) wrong("a drawing that is neither hidden nor named", node);
  }

  // tables: each header says of what, each table is called something
  for (const node of all("th")) if (!["col", "row", "colgroup", "rowgroup"].includes(node.scope)) wrong("a header without scope", node);
  for (const node of all("table").filter(forReaders)) {
    const around = node.closest("[aria-labelledby], [aria-label]");
    if (!node.caption?.textContent.trim() && !around) wrong("a table that is called nothing", node);
    if (!node.querySelector("th")) wrong("a table without headers", node);
  }
  if (!/^(ru|en)$/.test(document.documentElement.lang)) wrong("a language of nobody", document.documentElement);

  // contrast of texts in drawings, which axe leaves out; they stand on the ground of the drawing
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
  const light = (colour) => {
    const [red, green, blue] = colour.slice(0, 3).map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [less, more] = [light(one), light(other)].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  for (const node of all("svg text").filter(shown)) {
    const behind = ground(node);
    const [red, green, blue, alpha] = rgba(getComputedStyle(node).fill);
    const ratio = contrast(over([red, green, blue, alpha * Number(getComputedStyle(node).opacity)], behind), behind);
    if (node.textContent.trim() && ratio < 4.5) wrong(`contrast ${ratio.toFixed(2)}`, node);
  }
  return [...new Set(faults)];
}
