import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL(".", import.meta.url)) } },
  test: {
    environment: "happy-dom",
    environmentOptions: { happyDOM: { url: "http://localhost:3000/settings/billing/" } },
    include: ["**/*.test.{ts,tsx}"],
    exclude: ["node_modules", "out", ".next", "e2e"],
    setupFiles: ["./mocks/setup.ts"],
    // Far above what a test takes: a busy machine is no failure.
    testTimeout: 60_000,
    pool: "threads",
    maxWorkers: 2,
    restoreMocks: true,
    unstubGlobals: true,
    coverage: {
      provider: "v8",
      include: ["lib/**", "hooks/**"],
      exclude: ["lib/api/schema.d.ts", "**/*.test.*"],
      thresholds: { lines: 90 },
    },
  },
});
