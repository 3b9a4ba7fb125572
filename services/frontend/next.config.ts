import type { NextConfig } from "next";

// `next dev` passes calls on to a gateway; the export is served by the gateway itself.
const gateway = process.env.GATEWAY_URL ?? "http://127.0.0.1:8000";

const development: NextConfig = {
  rewrites: async () => [{ source: "/api/:path*", destination: `${gateway}/api/:path*` }],
};

const exported: NextConfig = { output: "export", trailingSlash: true };

const config: NextConfig = {
  ...(process.env.NODE_ENV === "development" ? development : exported),
  // Compression would hold live events back until there are many of them.
  compress: false,
  // A build has no packages for tests, so it does not look at tests either.
  typescript: { tsconfigPath: "tsconfig.build.json" },
  poweredByHeader: false,
  reactStrictMode: true,
  images: { unoptimized: true },
  agentRules: false,
  allowedDevOrigins: ["127.0.0.1"],
  devIndicators: false,
};

export default config;
