/** Which clicks leave the site, and which fetch a file? */

import type { Track } from "./core";
import { bare } from "./page";

const FILE = /\.(7z|apk|avi|csv|deb|dmg|docx?|epub|exe|gz|iso|mov|mp[34]|msi|ods|odt|pdf|pkg|pptx?|rar|rpm|rtf|tar|tgz|txt|wav|webm|xlsx?|xz|zip)$/i;

/** Track clicks on links as `outbound_link` or `download`, each with the address without its query, when asked for. */
export const watchLinks = (track: Track, outbound?: boolean, downloads?: boolean): void => {
  const clicked = (event: MouseEvent): void => {
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    if (!link || event.button > 1) return;
    const data = { url: bare(link.href) };
    if (downloads && (link.hasAttribute("download") || FILE.test(data.url))) track("download", data);
    else if (outbound && /^http/.test(data.url) && link.host !== location.host) track("outbound_link", data);
  };
  if (outbound || downloads) {
    addEventListener("click", clicked, true);
    addEventListener("auxclick", clicked, true);
  }
};
