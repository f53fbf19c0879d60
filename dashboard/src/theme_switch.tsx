// The switch between the system's theme, light and dark.

import { useState } from "preact/hooks";
import { Icon } from "./icons.tsx";
import { THEMES, chooseTheme, chosenTheme } from "./theme.ts";

const NAMES = { system: "As the system", light: "Light", dark: "Dark" };

export function ThemeSwitch() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <fieldset class="themes">
      <legend class="unseen">Theme</legend>
      {THEMES.map((one) => (
        <label key={one} title={NAMES[one]}>
          <input
            type="radio"
            name="theme"
            class="unseen"
            checked={one === theme}
            onChange={() => {
              chooseTheme(one);
              setTheme(one);
            }}
          />
          <Icon name={one} />
          <span class="unseen">{NAMES[one]}</span>
        </label>
      ))}
    </fieldset>
  );
}
