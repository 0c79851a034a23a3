/** Elements. Data only ever becomes text: nothing here parses markup. */

export type Child = Node | string;

export function el(tag: string, className: string, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** The element of the page with this id, which is there. */
export function at<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

export function list(className: string, title: string, lines: string[]): HTMLElement {
  return el("div", className, el("h3", "", title), el("ul", "", ...lines.map((line) => el("li", "", line))));
}

/** Names and what they stand for. */
export function facts(pairs: [string, Child][]): HTMLElement {
  return el("dl", "", ...pairs.flatMap(([name, value]) => [el("dt", "", name), el("dd", "", value)]));
}
