import { defineConfig } from "@playwright/test";

// Against a whole `make run`, which tests/frontend/test_browser.py starts; by hand see the README.
export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  retries: 0,
  forbidOnly: true,
  // Far above what a step takes: a busy machine is no failure.
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  projects: [
    { name: "stories", testMatch: "*.spec.ts" },
    { name: "bench", testMatch: "*.bench.ts" },
    { name: "pictures", testMatch: "*.pictures.ts" },
  ],
  use: {
    baseURL: process.env.BILLING_URL ?? "http://127.0.0.1:8000",
    viewport: { width: 1280, height: 900 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
