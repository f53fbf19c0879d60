// How are dimensions, operators and values said to people?

export const DIMENSION_NAMES: Record<string, string> = {
  path: "Page",
  hostname: "Host",
  title: "Title",
  referrer: "Link",
  referrer_host: "Site",
  source: "Source",
  campaign: "Campaign",
  campaign_id: "Campaign id",
  utm_source: "UTM source",
  utm_medium: "Medium",
  utm_campaign: "UTM campaign",
  utm_term: "Term",
  utm_content: "Content",
  type: "Event",
  country: "Country",
  region: "Region",
  city: "City",
  device: "Device",
  browser: "Browser",
  os: "System",
  language: "Language",
  entry_page: "Entry page",
  exit_page: "Exit page",
};

export const OPERATOR_NAMES: Record<string, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  not_contains: "does not contain",
  starts_with: "starts with",
  ends_with: "ends with",
  like: "is like",
  is_set: "is known",
  is_not_set: "is not known",
};

const REGIONS = new Intl.DisplayNames("en", { type: "region" });
const LANGUAGES = new Intl.DisplayNames("en", { type: "language" });

/** A dimension's name for people; `data.plan` is said as it is. */
export function dimensionName(dimension: string): string {
  return Object.hasOwn(DIMENSION_NAMES, dimension) ? (DIMENSION_NAMES[dimension] ?? dimension) : dimension;
}

/** A value of a dimension for people; null is a value that is missing. */
export function valueName(dimension: string, value: string | null): string {
  if (value === null) return "Not known";
  if (dimension === "country" && /^[A-Z]{2}$/.test(value)) return REGIONS.of(value) ?? value;
  if (dimension === "language" && /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(value)) return languageName(value);
  if (dimension === "device") return value.charAt(0).toUpperCase() + value.slice(1);
  return value;
}

function languageName(value: string): string {
  try {
    return LANGUAGES.of(value) ?? value;
  } catch {
    return value; // Shaped like a tag and yet none.
  }
}
