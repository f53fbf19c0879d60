// Where does a value stand in a chart? Pure geometry, in pixels of the drawing.

export type Maybe = number | null;

/** Round values from 0 to at least `most`, about `count` steps apart: 1, 2 or 5 times a power of ten. */
export function ticks(most: number, count: number, whole = true): number[] {
  if (!(most > 0)) return whole ? [0, 1] : [0, 1];
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10;
  const step = whole ? Math.max(1, factor * power) : factor * power;
  const steps = Math.ceil(most / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** The path of a line through the points that are there; a missing one is a gap, a lone one a dot's worth of line. */
export function linePath(values: Maybe[], x: (index: number) => number, y: (value: number) => number): string {
  let path = "";
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    path += `${drawing ? "L" : "M"}${round(x(index))} ${round(y(value))}`;
    drawing = true;
  });
  return path;
}

/** The path of what is under the line, closed at `floor`, one piece for each run of points. */
export function areaPath(values: Maybe[], x: (i: number) => number, y: (v: number) => number, floor: number): string {
  return runs(values)
    .map(([first, last]) => {
      const run = values.slice(first, last + 1);
      const top = linePath(run, (index) => x(first + index), y).replace(/^M/, "L");
      return `M${round(x(first))} ${round(floor)}${top}L${round(x(last))} ${round(floor)}Z`;
    })
    .join("");
}

/** Every n-th of `count` labels, so that each has `room` pixels; the indexes that are shown. */
export function labelled(count: number, width: number, room: number): number[] {
  const every = Math.max(1, Math.ceil((count * room) / Math.max(width, 1)));
  return Array.from({ length: Math.ceil(count / every) }, (_, index) => index * every);
}

/** The first and last index of every run of values without a gap. */
export function runs(values: Maybe[]): [number, number][] {
  const found: [number, number][] = [];
  values.forEach((value, index) => {
    const last = found.at(-1);
    if (value === null) return;
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  });
  return found;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
