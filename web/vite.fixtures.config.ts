import { defineConfig } from "vite";

// Development only: the panel and the widget fed with typed frames from fixtures/, without a daemon.
export default defineConfig({
  root: new URL(".", import.meta.url).pathname,
  server: { host: "127.0.0.1", port: 5199, strictPort: true },
});
