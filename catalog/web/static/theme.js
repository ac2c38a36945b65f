// A classic script in the head, so that the page never flashes in the other theme.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = null;
  try {
    choice = localStorage.getItem("theme");
  } catch {
    // Storage may be off; the system's theme is used.
  }
  const apply = () => {
    root.dataset.theme = choice === "light" || choice === "dark" ? choice : system.matches ? "dark" : "light";
    document.querySelector("meta[name=theme-color]")?.setAttribute("content", root.dataset.theme === "dark" ? "#161513" : "#faf9f7");
    dispatchEvent(new Event("themechange"));
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("themetoggle", () => {
    choice = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // As above: the choice then lasts until the page is closed.
    }
    apply();
  });
})();
