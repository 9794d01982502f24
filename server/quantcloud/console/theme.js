// Sets the chosen theme before the first paint. The choice is "light", "dark" or none: the system's.
"use strict";

try {
  const theme = localStorage.getItem("quantcloud.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the system's theme holds.
}
