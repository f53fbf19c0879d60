// The few signs there are, drawn on a grid of 16.

const PATHS = {
  down: "M4 6.5 8 10.5 12 6.5",
  close: "M4.5 4.5 11.5 11.5M11.5 4.5 4.5 11.5",
  download: "M8 2.5V10M5 7.5 8 10.5 11 7.5M3 13.5H13",
  more: "M3 4.5H13M3 8H13M3 11.5H9",
  system: "M2.5 3.5H13.5V10.5H2.5ZM6 13.5H10",
  light: "M8 5.2A2.8 2.8 0 1 1 8 10.8 2.8 2.8 0 0 1 8 5.2ZM8 1.5V2.5M8 13.5V14.5M1.5 8H2.5M13.5 8H14.5M3.4 3.4 4.1 4.1M11.9 11.9 12.6 12.6M12.6 3.4 11.9 4.1M4.1 11.9 3.4 12.6",
  dark: "M13.5 9.5A6 6 0 1 1 6.5 2.5 4.8 4.8 0 0 0 13.5 9.5Z",
  filter: "M2.5 4H13.5M4.5 8H11.5M6.5 12H9.5",
  check: "M3.5 8.5 6.5 11.5 12.5 4.5",
  copy: "M5.5 5.5H13.5V13.5H5.5ZM10.5 5.5V2.5H2.5V10.5H5.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The sign of the house: three readings of a meter. */
export function Mark() {
  return (
    <svg class="mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M8 23v-5M16 23V9M24 23v-9" />
    </svg>
  );
}
