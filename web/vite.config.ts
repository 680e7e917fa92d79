import { defineConfig } from "vite";

const page = (path: string) => new URL(path, import.meta.url).pathname;

// Every page of the daemon. The launcher is built by vite.launcher.config.ts: one file, no modules.
export default defineConfig({
  root: page("."),
  base: "/",
  publicDir: page("public"),
  build: {
    outDir: page("dist"),
    emptyOutDir: true,
    target: ["chrome111", "firefox121", "safari16.4"],
    // The strict CSP takes neither data: addresses nor inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        panel: page("panel/index.html"),
        widget: page("widget/index.html"),
        shop: page("shop/index.html"),
        "shop-tea": page("shop/tea.html"),
        "shop-help": page("shop/help.html"),
      },
    },
  },
});
