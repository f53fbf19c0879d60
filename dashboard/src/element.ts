// <clickmeter-chart>: one chart for the pages of customers, with a read token. It shares its drawing with the
// dashboard, lives in a shadow root, and needs nothing of the page: no style, no inline script, no global.

import { Problem, type Report, ask } from "./api.ts";
import css from "./chart/chart.css";
import { html } from "./chart/drawing.ts";
import { LineChart } from "./chart/line.ts";
import own from "./element.css";
import { type Wanted, bars, legend, lines, question } from "./embed.ts";

const SCRIPT = document.currentScript;
const SERVER = SCRIPT instanceof HTMLScriptElement ? new URL(SCRIPT.src).origin : "";
const ASKED = ["property", "token", "metric", "metrics", "period", "interval", "group-by", "timezone", "server"];

class ClickmeterChart extends HTMLElement {
  static observedAttributes = [...ASKED, "heading"];
  private readonly root = this.attachShadow({ mode: "open" });
  private chart: LineChart | null = null;
  private asked = new AbortController();
  private waiting = false;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(own + css);
    this.root.adoptedStyleSheets = [sheet];
  }

  connectedCallback(): void {
    this.refresh();
  }

  disconnectedCallback(): void {
    this.asked.abort();
    this.chart?.close();
  }

  attributeChangedCallback(): void {
    this.refresh();
  }

  /** Ask and draw, once for all attributes that are set together. */
  private refresh(): void {
    if (this.waiting || !this.isConnected) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      void this.load();
    });
  }

  private async load(): Promise<void> {
    this.asked.abort();
    const { signal } = (this.asked = new AbortController());
    const [property, secret] = [this.text("property"), this.text("token")];
    if (!property || !secret) {
      this.say("This chart has no property or no token.");
      return;
    }
    const credential = { property, secret, kind: "share", server: this.text("server", SERVER) } as const;
    try {
      const wanted = this.wanted();
      const report = await ask<Report>(credential, "metrics", question(wanted), signal);
      if (!signal.aborted) this.draw(report, wanted);
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  private wanted(): Wanted {
    return {
      metrics: this.text("metrics", this.text("metric", "pageviews")),
      period: this.text("period", "30d"),
      interval: this.text("interval"),
      groupBy: this.text("group-by"),
      timezone: this.text("timezone"),
    };
  }

  private draw(report: Report, wanted: Wanted): void {
    if (report.query.interval === "total") {
      this.put(bars(report, wanted));
      return;
    }
    const data = lines(report, wanted, Date.now());
    const host = html("div", {});
    this.put(...(data.series.length > 1 ? [legend(data.series)] : []), host);
    this.chart = new LineChart(host);
    this.chart.show(data);
  }

  /** The page may mint another token when it hears of a 401, and set it. */
  private fail(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    this.say(error.message);
    const detail = { status: error.status, code: error.code };
    this.dispatchEvent(new CustomEvent("clickmeter-problem", { detail, bubbles: true }));
  }

  private say(text: string): void {
    this.put(html("p", { class: "note", role: "status" }, text));
  }

  private put(...content: Node[]): void {
    this.chart?.close();
    this.chart = null;
    const heading = this.text("heading");
    this.root.replaceChildren(html("figure", {}, heading ? html("figcaption", {}, heading) : null, ...content));
  }

  private text(name: string, otherwise = ""): string {
    return this.getAttribute(name) ?? otherwise;
  }
}

if (!customElements.get("clickmeter-chart")) customElements.define("clickmeter-chart", ClickmeterChart);
