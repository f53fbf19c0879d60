/** What does the npm package `@clickmeter/browser` export? */

export { startCore, type Core, type CoreOptions, type Track } from "./core";
export type { Data } from "./event";
export { start, type Options, type Tracker } from "./tracker";
