// A ranked list: a name, a number, and a bar as long as its share of the first.

import { html } from "./drawing.ts";

export interface Bar {
  name: string;
  value: number;
  short: string;
  exact: string;
}

export function barList(label: string, bars: Bar[]): HTMLElement {
  const most = Math.max(Number.MIN_VALUE, ...bars.map((bar) => bar.value));
  const rows = bars.map(({ name, value, short, exact }) => {
    const bar = html("span", { class: "bar" });
    bar.style.width = `${(value / most) * 100}%`;
    return html("li", { title: `${name}: ${exact}` }, bar, html("span", { class: "name" }, name), html("b", {}, short));
  });
  return html("ol", { class: "bars", "aria-label": label }, ...rows);
}
