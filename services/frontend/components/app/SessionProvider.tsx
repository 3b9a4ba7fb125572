"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { useUrlState } from "@/hooks/useUrlState";
import { ApiError, messageOf } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { sessionQuery } from "@/lib/billing/queries";
import type { Membership, Role, SessionResponse } from "@/lib/billing/types";
import { canManage, chooseMembership, tokenOfFragment, whyNot } from "@/lib/session";

const STORED = "billing.organization";
const ORGANIZATION = "org";

export interface Session {
  session: SessionResponse;
  organizationId: string;
  role: Role;
  canManage: boolean;
  /** Why buttons are off for this role; null when they are not. */
  whyNot: string | null;
  switchOrganization: (organizationId: string) => void;
  signOut: () => Promise<void>;
  /** How far the server's clock is ahead of the browser's; bills are written by the former. */
  clockAheadMs: number;
}

const SessionContext = createContext<Session | null>(null);

/** Who is signed in, for which organization, with which role. Only below SessionProvider. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (!session) throw new Error("useSession is for what stands inside SessionProvider.");
  return session;
}

export interface SessionProviderProps {
  /** While it is not known who is there. */
  pending: ReactNode;
  signedOut: ReactNode;
  /** Over what is shown, once the session has ended while the page was open. */
  ended?: ReactNode;
  noOrganization: ReactNode;
  failed: (error: Error, retry: () => void) => ReactNode;
  children: ReactNode;
}

export function SessionProvider(props: SessionProviderProps) {
  const isReady = useTokenOfAddress();
  const query = useQuery({ ...sessionQuery, enabled: isReady });
  const [inAddress, setInAddress] = useUrlState(ORGANIZATION);
  const { data, error } = query;
  const membership = data ? chooseMembership(data.organizations, [inAddress, stored()]) : null;
  const shown = membership?.organization_id ?? null;
  const isOneOfMany = (data?.organizations.length ?? 0) > 1;
  // In the address it stays this tab's, whatever is chosen in another one.
  const belongs = shown !== null && (isOneOfMany || inAddress !== null) ? shown : inAddress;
  useEffect(() => {
    if (belongs !== inAddress) setInAddress(belongs);
  }, [belongs, inAddress, setInAddress]);
  if (!data) return absent(props, error, () => query.refetch());
  if (!membership) return props.noOrganization;
  return (
    <SignedIn
      // Somebody else finds nothing of who was here before.
      key={data.subject}
      session={data}
      membership={membership}
      clockAheadMs={Date.parse(data.now) - query.dataUpdatedAt}
      onSwitch={setInAddress}
    >
      {props.children}
      {isRefused(error) && props.ended}
    </SignedIn>
  );
}

/** What stands there while nobody is known to be. */
function absent(props: SessionProviderProps, error: Error | null, retry: () => void): ReactNode {
  if (!error) return props.pending;
  return isRefused(error) ? props.signedOut : props.failed(error, retry);
}

/** Whether nobody is signed in, or not any more. */
function isRefused(error: Error | null): boolean {
  return error instanceof ApiError && error.status === 401;
}

interface SignedInProps {
  session: SessionResponse;
  membership: Membership;
  clockAheadMs: number;
  onSwitch: (organizationId: string) => void;
  children: ReactNode;
}

function SignedIn({ session, membership, clockAheadMs, onSwitch, children }: SignedInProps) {
  const queryClient = useQueryClient();
  const [, setInvoice] = useUrlState("invoice");
  const value = useMemo<Session>(
    () => ({
      session,
      organizationId: membership.organization_id,
      role: membership.role,
      canManage: canManage(membership.role),
      whyNot: canManage(membership.role) ? null : whyNot(membership),
      clockAheadMs,
      switchOrganization: (organizationId) => {
        localStorage.setItem(STORED, organizationId);
        // It is of the organization before.
        setInvoice(null);
        onSwitch(organizationId);
      },
      signOut: async () => {
        try {
          await billingApi.signOut();
        } catch (error) {
          toast.error(`You are still signed in. ${messageOf(error)}`);
          return;
        }
        queryClient.removeQueries({ queryKey: ["billing"] });
        await queryClient.resetQueries({ queryKey: sessionQuery.queryKey });
      },
    }),
    [session, membership, clockAheadMs, onSwitch, setInvoice, queryClient],
  );
  return <SessionContext value={value}>{children}</SessionContext>;
}

/** Signs in with the token that the address may carry, and takes it out of there first. */
function useTokenOfAddress(): boolean {
  const queryClient = useQueryClient();
  const [isReady, setIsReady] = useState(false);
  useEffect(() => {
    const { hash, hostname, pathname, search } = window.location;
    const token = tokenOfFragment(hash, hostname);
    if (!token) {
      setIsReady(true);
      return;
    }
    window.history.replaceState(null, "", pathname + search);
    billingApi
      .signIn(token)
      .then((session) => queryClient.setQueryData(sessionQuery.queryKey, session))
      .catch((error: unknown) => toast.error(messageOf(error)))
      .finally(() => setIsReady(true));
  }, [queryClient]);
  return isReady;
}

function stored(): string | null {
  return localStorage.getItem(STORED);
}
