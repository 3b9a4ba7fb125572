import { QueryClientProvider } from "@tanstack/react-query";
import { render, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { makeQueryClient } from "@/components/app/Providers";
import { SessionProvider } from "@/components/app/SessionProvider";
import { Toaster } from "@/components/ui/sonner";

function inClient() {
  const queryClient = makeQueryClient();
  const usual = queryClient.getDefaultOptions();
  queryClient.setDefaultOptions({ ...usual, queries: { ...usual.queries, retry: false } });
  return ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queryClient}>
      {children}
      <Toaster />
    </QueryClientProvider>
  );
}

/** Renders for who is signed in as the scripted gateway's session says. */
export function renderSignedIn(children: ReactNode) {
  return render(
    <SessionProvider
      pending="pending"
      signedOut="signed out"
      ended="ended"
      noOrganization="no organization"
      failed={(error) => error.message}
    >
      {children}
    </SessionProvider>,
    { wrapper: inClient() },
  );
}

/** Runs a hook that needs no session. */
export function runHook<T>(hook: () => T) {
  return renderHook(hook, { wrapper: inClient() });
}
