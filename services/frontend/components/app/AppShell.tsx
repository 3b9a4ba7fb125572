"use client";

import { lazy, type ReactNode, Suspense } from "react";
import { Failed } from "@/components/app/Failed";
import { Header, HeaderFrame } from "@/components/app/Header";
import { LiveProvider } from "@/components/app/LiveProvider";
import { NoOrganization } from "@/components/app/NoOrganization";
import { OfflineBanner } from "@/components/app/OfflineBanner";
import { SessionProvider, useSession } from "@/components/app/SessionProvider";
import { SignIn } from "@/components/app/SignIn";

const SessionEnded = lazy(() => import("@/components/app/SessionEnded"));

interface AppShellProps {
  /** What stands here until it is known who is there. */
  skeleton: ReactNode;
  children: ReactNode;
}

/** Header, session and live events around the pages for who is signed in. */
export function AppShell({ skeleton, children }: AppShellProps) {
  return (
    <SessionProvider
      pending={<Frame>{skeleton}</Frame>}
      signedOut={<SignIn />}
      ended={
        <Suspense>
          <SessionEnded />
        </Suspense>
      }
      noOrganization={<NoOrganization />}
      failed={(error, retry) => (
        <Frame>
          <h1 className="sr-only">Billing</h1>
          <Failed error={error} onRetry={retry} />
        </Frame>
      )}
    >
      <SignedIn>{children}</SignedIn>
    </SessionProvider>
  );
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <>
      <HeaderFrame />
      <main id="content">{children}</main>
    </>
  );
}

function SignedIn({ children }: { children: ReactNode }) {
  const { organizationId } = useSession();
  return (
    // Another organization is another page: nothing of the one before may stay.
    <LiveProvider key={organizationId} organization={organizationId}>
      <Header />
      <OfflineBanner />
      <main id="content">{children}</main>
    </LiveProvider>
  );
}
