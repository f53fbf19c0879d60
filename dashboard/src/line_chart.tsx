// The line chart as a component.

import { useLayoutEffect, useRef } from "preact/hooks";
import { LineChart as Drawn, type LineData } from "./chart/line.ts";

export function LineChart(data: LineData) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<Drawn | null>(null);
  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const made = new Drawn(host.current);
    chart.current = made;
    return () => made.close();
  }, []);
  useLayoutEffect(() => chart.current?.show(data));
  return <div ref={host} />;
}
