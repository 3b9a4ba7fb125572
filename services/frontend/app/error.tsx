"use client";

import { Failed } from "@/components/app/Failed";

export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <main className="mx-auto max-w-md px-4 py-24">
      <h1 className="sr-only">This page failed</h1>
      <Failed error={error} onRetry={reset} />
    </main>
  );
}
