import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["{shared,panel,hosts,widget}/**/*.test.ts"] } });
