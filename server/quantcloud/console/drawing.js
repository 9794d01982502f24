// Shows the server's drawing of a circuit. Only shapes and text of the drawing come into the page.

const SMALLEST = 0.7;
const SVG = "http://www.w3.org/2000/svg";
const ELEMENTS = new Set(["svg", "g", "path", "rect", "circle", "text", "title", "desc"]);
const ATTRIBUTES = new Set((
  "class d x y width height r rx cx cy viewBox role aria-labelledby id fill stroke stroke-width stroke-dasharray "
  + "stroke-linecap text-anchor font-size font-family font-style dominant-baseline"
).split(" "));

/**
 * Returns the drawing as elements of the page, or null if it is not one.
 * @param {string} source
 * @returns {SVGElement | null}
 */
export function drawing(source) {
  const parsed = new DOMParser().parseFromString(source, "image/svg+xml");
  const copied = copy(parsed.documentElement);
  if (!(copied instanceof SVGElement) || copied.localName !== "svg") return null;
  // A drawing that is a little too wide shrinks. A wider one scrolls.
  copied.style.maxInlineSize = `max(100%, ${SMALLEST * Number(copied.getAttribute("width"))}px)`;
  return copied;
}

/** @param {Element} element @returns {SVGElement | null} */
function copy(element) {
  if (element.namespaceURI !== SVG || !ELEMENTS.has(element.localName)) return null;
  const made = document.createElementNS(SVG, element.localName);
  for (const {name, value} of element.attributes) {
    if (ATTRIBUTES.has(name) && !/[(:]/.test(value)) made.setAttribute(name, value);
  }
  for (const child of element.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.textContent ?? "");
    else if (child instanceof Element) made.append(...[copy(child)].filter((each) => each !== null));
  }
  return made;
}
