/** What TypeScript's own description of the browser does not know yet. */

interface Navigator {
  readonly globalPrivacyControl?: boolean;
}
