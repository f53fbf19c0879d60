// Which lists are there? A new list is a row here.

import type { Tab } from "./query.ts";

export interface Panel {
  id: string;
  title: string;
  tabs: [Tab, ...Tab[]];
  /** What to say when there is nothing. */
  empty: string;
}

const viewed = (name: string, dimension: string, filters = [`${dimension}:is_set`]): Tab => ({
  name,
  dimension,
  metrics: ["unique_visitors", "pageviews"],
  filters,
});

export const PANELS: Panel[] = [
  {
    id: "pages",
    title: "Pages",
    tabs: [
      { name: "Top", dimension: "path", metrics: ["pageviews", "unique_visitors"], filters: ["path:is_set"] },
      { name: "Entry", dimension: "entry_page", metrics: ["sessions", "bounce_rate"], filters: ["entry_page:is_set"] },
      { name: "Exit", dimension: "exit_page", metrics: ["sessions", "unique_visitors"], filters: ["exit_page:is_set"] },
    ],
    empty: "No page was viewed.",
  },
  {
    id: "sources",
    title: "Sources",
    tabs: [
      viewed("Source", "source"),
      viewed("Site", "referrer_host"),
      viewed("Link", "referrer"),
      viewed("UTM", "utm_source"),
    ],
    empty: "Nobody came by a link from elsewhere. Direct visits have no source.",
  },
  {
    id: "campaigns",
    title: "Campaigns",
    tabs: [
      viewed("Campaign", "campaign"),
      viewed("Medium", "utm_medium"),
      viewed("Term", "utm_term"),
      viewed("Content", "utm_content"),
    ],
    empty: "No campaign brought visitors. Add utm_campaign to the links of one to see it here.",
  },
  {
    id: "places",
    title: "Places",
    tabs: [viewed("Country", "country"), viewed("Region", "region"), viewed("City", "city")],
    empty: "Places are not known. The server learns them from a GeoIP database, when it is given one.",
  },
  {
    id: "devices",
    title: "Devices",
    tabs: [
      viewed("Browser", "browser"),
      viewed("System", "os"),
      viewed("Device", "device"),
      viewed("Language", "language"),
    ],
    empty: "No browser told what it is.",
  },
  {
    id: "events",
    title: "Events",
    tabs: [
      { name: "Type", dimension: "type", metrics: ["events", "unique_visitors"], filters: ["type:is_not:pageview"] },
    ],
    empty: "No custom event was sent. clickmeter.track('signup') in a page sends one.",
  },
];
