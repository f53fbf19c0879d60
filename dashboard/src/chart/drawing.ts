// Making elements without a framework and without HTML: the chart element has no room for the one, nobody for the other.

type Attributes = Record<string, string | number>;
type Child = Node | string | null;

/** An element of SVG with its attributes and children. */
export function svg(name: string, attributes: Attributes, ...children: Child[]): SVGElement {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** An element of HTML with its attributes and children; text stays text. */
export function html(name: string, attributes: Attributes, ...children: Child[]): HTMLElement {
  return fill(document.createElement(name), attributes, children);
}

function fill<T extends Element>(element: T, attributes: Attributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.filter((child) => child !== null));
  return element;
}
