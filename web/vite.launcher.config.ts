import { defineConfig } from "vite";

const page = (path: string) => new URL(path, import.meta.url).pathname;

// `/widget.js`: what a company puts into its pages. A classic script, so that it knows its own address and works
// where modules are blocked; its name is never hashed, because it stands in other people's pages.
export default defineConfig({
  root: page("."),
  publicDir: false,
  build: {
    outDir: page("dist"),
    emptyOutDir: false,
    target: ["chrome111", "firefox121", "safari16.4"],
    lib: { entry: page("widget/launcher.ts"), formats: ["iife"], name: "TielineLauncher", fileName: () => "widget.js" },
  },
});
