// A line over time: one main series, and others beside it. The pointer and the arrow keys look at single buckets.

import { html, svg } from "./drawing.ts";
import { type Maybe, areaPath, labelled, linePath, runs, ticks } from "./scale.ts";

export interface Series {
  name: string;
  values: Maybe[];
  /** What each bucket of this series is called, where that differs from the chart's own names. */
  names?: string[];
  /** `main` has the accent and an area, `before` is the range compared with, a number is a colour of the palette. */
  look: "main" | "before" | number;
}

export interface LineData {
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** The names of the buckets on the axis, and where there is room. */
  axis: string[];
  names: string[];
  series: Series[];
  /** The bucket that is not over yet; what comes after it is not drawn. */
  running: number | null;
  height: number;
  short: (value: Maybe) => string;
  exact: (value: Maybe) => string;
  /** Whether values are whole numbers, and marks between them would say nothing. */
  whole: boolean;
}

/** Where everything stands, for a width. */
interface Plot {
  width: number;
  left: number;
  floor: number;
  marks: number[];
  x: (index: number) => number;
  y: (value: number) => number;
}

const TOP = 12;
const BOTTOM = 26;
const RIGHT = 10;
const LABEL_ROOM = 64;
const DIGIT = 7;

/** Draws into an element, again when its width changes; it can be focused and read with the arrow keys. */
export class LineChart {
  private data: LineData | null = null;
  private at: number | null = null;
  private readonly observer: ResizeObserver;

  constructor(private readonly host: HTMLElement) {
    host.className = "line-chart";
    host.tabIndex = 0;
    host.setAttribute("role", "slider");
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerdown", (event) => this.point(event));
    host.addEventListener("pointerleave", () => this.look(null));
    host.addEventListener("blur", () => this.look(null));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(host);
  }

  show(data: LineData): void {
    this.data = data;
    this.host.style.height = `${data.height}px`;
    this.look(this.at);
  }

  close(): void {
    this.observer.disconnect();
  }

  private key(event: KeyboardEvent): void {
    const last = lastShown(this.data);
    const from = this.at ?? last + 1;
    const keys: Record<string, number | null> = {
      ArrowLeft: from - 1,
      ArrowRight: this.at === null ? 0 : from + 1,
      Home: 0,
      End: last,
      Escape: null,
    };
    const to = keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.look(to);
  }

  private point(event: PointerEvent): void {
    if (!this.data) return;
    const { x } = plot(this.data, this.host.clientWidth);
    const step = x(1) - x(0) || 1;
    this.look(Math.round((event.clientX - this.host.getBoundingClientRect().left - x(0)) / step));
  }

  /** Look at a bucket, or at none. */
  private look(at: number | null): void {
    const last = lastShown(this.data);
    this.at = at === null || last < 0 ? null : Math.max(0, Math.min(at, last));
    this.draw();
  }

  private draw(): void {
    const width = this.host.clientWidth;
    if (!this.data || !width) return;
    const place = plot(this.data, width);
    const shown = this.at ?? lastShown(this.data);
    describe(this.host, this.data, shown);
    const tooltip = this.at === null ? [] : [drawTooltip(this.data, place, this.at)];
    this.host.replaceChildren(drawing(this.data, place, this.at), ...tooltip);
  }
}

function lastShown(data: LineData | null): number {
  return data ? (data.running ?? data.names.length - 1) : -1;
}

/** What a screen reader says of the bucket that is looked at. */
function describe(host: HTMLElement, { label, names, series, running, exact }: LineData, at: number): void {
  const values = series.map((one) => `${one.name}: ${exact(one.values[at] ?? null)}`);
  const name = `${names[at] ?? "Nothing"}${at === running ? " (until now)" : ""}`;
  const said = { label, valuemin: 1, valuemax: Math.max(names.length, 1), valuenow: at + 1 };
  for (const [key, value] of Object.entries(said)) host.setAttribute(`aria-${key}`, String(value));
  host.setAttribute("aria-valuetext", [name, ...values].join(", "));
}

function plot({ series, names, height, short, whole }: LineData, width: number): Plot {
  const most = Math.max(0, ...series.flatMap((one) => one.values.map((value) => value ?? 0)));
  const marks = ticks(most, 4, whole);
  const top = marks.at(-1) ?? 1;
  const left = 10 + DIGIT * Math.max(...marks.map((mark) => short(mark).length));
  const floor = height - BOTTOM;
  const room = width - left - RIGHT;
  const step = room / Math.max(names.length - 1, 1);
  const middle = names.length === 1 ? room / 2 : 0;
  const y = (value: number) => floor - (value / top) * (floor - TOP);
  return { width, left, floor, marks, y, x: (index) => left + middle + index * step };
}

function drawing(data: LineData, place: Plot, at: number | null): SVGElement {
  const { width, floor, x } = place;
  const { height, series, running } = data;
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...drawScale(data, place),
    ...drawAxis(data, place),
    at === null ? null : svg("line", { class: "cross", x1: x(at), x2: x(at), y1: TOP - 6, y2: floor }),
    ...[...series].reverse().map((one) => drawSeries(one, place, running, at)),
  );
}

function drawScale({ short }: LineData, { marks, left, width, y }: Plot): SVGElement[] {
  return marks.map((mark) => {
    const line = svg("line", { x1: left, x2: width, y1: crisp(y(mark)), y2: crisp(y(mark)) });
    const text = svg("text", { x: left - 8, y: y(mark) + 4, "text-anchor": "end" }, short(mark));
    return svg("g", { class: mark === 0 ? "grid floor" : "grid" }, line, text);
  });
}

function drawAxis({ axis, height }: LineData, { left, width, floor, x }: Plot): SVGElement[] {
  return labelled(axis.length, width - left, LABEL_ROOM).map((index) => {
    const line = svg("line", { x1: crisp(x(index)), x2: crisp(x(index)), y1: floor, y2: floor + 5 });
    const anchor = index === axis.length - 1 && index > 0 ? "end" : "middle";
    const text = svg("text", { x: x(index), y: height - 6, "text-anchor": anchor }, axis[index] ?? "");
    return svg("g", { class: "grid" }, line, text);
  });
}

function drawSeries(series: Series, { x, y, floor }: Plot, running: number | null, at: number | null): SVGElement {
  // What is compared with is over; only what runs now has an end that still grows.
  const last = series.look === "before" ? null : running;
  const values = last === null ? series.values : series.values.slice(0, last + 1);
  const past = last === null ? values : values.slice(0, last);
  const lone = runs(values).filter(([first, end]) => first === end);
  const growing = last ? linePath(values.slice(last - 1), (index) => x(last - 1 + index), y) : "";
  const value = at === null ? null : (values[at] ?? null);
  return svg(
    "g",
    { class: `line ${toneOf(series)}` },
    series.look === "main" ? svg("path", { class: "area", d: areaPath(values, x, y, floor) }) : null,
    svg("path", { d: linePath(past, x, y) }),
    svg("path", { class: "growing", d: growing }),
    ...lone.map(([index]) => svg("circle", { cx: x(index), cy: y(values[index] ?? 0), r: 3 })),
    at === null || value === null ? null : svg("circle", { class: "here", cx: x(at), cy: y(value), r: 4.5 }),
  );
}

function drawTooltip({ names, series, exact, running }: LineData, { x, width }: Plot, at: number): HTMLElement {
  const head = html("p", {}, `${names[at]}${at === running ? " · until now" : ""}`);
  const lines = series.map((one) => {
    const value = html("b", {}, exact(one.values[at] ?? null));
    return html("div", { class: "key" }, html("span", {}, one.names?.[at] ?? one.name), value);
  });
  const box = html("div", { class: "tooltip", "aria-hidden": "true" }, head, ...lines);
  if (x(at) > width / 2) box.style.right = `${width - x(at) + 12}px`;
  else box.style.left = `${x(at) + 12}px`;
  return box;
}

/** The class that gives a series its colour. */
export function toneOf({ look }: Series): string {
  return typeof look === "number" ? `tone-${look}` : look;
}

/** A hairline is sharp when it is in the middle of a pixel. */
function crisp(value: number): number {
  return Math.round(value) + 0.5;
}
