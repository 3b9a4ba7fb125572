"use client";

import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ThemeProvider } from "next-themes";
import { type ReactNode, useState } from "react";
import { toast } from "sonner";
import { Toaster } from "@/components/ui/sonner";
import { ApiError, messageOf } from "@/lib/api/errors";
import { billingKeys, sessionQuery } from "@/lib/billing/queries";

/** What every page stands in. */
export function Providers({ children }: { children: ReactNode }) {
  const [queryClient] = useState(makeQueryClient);
  return (
    <ThemeProvider attribute="class" defaultTheme="system" enableSystem disableTransitionOnChange>
      <QueryClientProvider client={queryClient}>
        {children}
        <Toaster />
      </QueryClientProvider>
    </ThemeProvider>
  );
}

const USUAL_WAIT_MS = 800;
const LONGEST_WAIT_MS = 5_000;

function waitBefore(error: Error): number {
  const seconds = error instanceof ApiError ? error.retryAfterSeconds : null;
  return seconds === null ? USUAL_WAIT_MS : seconds * 1000;
}

/** Once, if the server does not ask for more patience than a user has. */
function isWorthRetrying(error: ApiError): boolean {
  return error.isTemporary && waitBefore(error) <= LONGEST_WAIT_MS;
}

/** Remembers answers; a session that has ended shows everywhere at once. */
export function makeQueryClient(): QueryClient {
  const noticeEnd = (error: Error) => {
    if (error instanceof ApiError && error.status === 401) {
      // Asked again and not forgotten: what is half done in the page stays until one is back.
      queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
    }
  };
  const queryClient: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (query.queryKey[0] !== sessionQuery.queryKey[0]) noticeEnd(error);
      },
    }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _context, mutation) => {
        noticeEnd(error);
        // What was refused had been offered by what is shown, so that is old.
        if (error instanceof ApiError && error.tellsOfChange) {
          queryClient.invalidateQueries({ queryKey: billingKeys.all });
        }
        // A form that shows its own errors says so.
        if (!mutation.meta?.showsErrors) toast.error(messageOf(error));
      },
    }),
    defaultOptions: {
      queries: {
        // Without a network a question fails, and says so, instead of waiting unseen.
        networkMode: "always",
        refetchOnReconnect: true,
        refetchOnWindowFocus: true,
        retry: (count, error) => count < 1 && error instanceof ApiError && isWorthRetrying(error),
        retryDelay: (_count, error) => waitBefore(error),
      },
      // What costs money may not wait for a network and then happen by itself.
      mutations: { networkMode: "always" },
    },
  });
  return queryClient;
}
