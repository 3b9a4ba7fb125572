"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { messageOf } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { sessionQuery } from "@/lib/billing/queries";
import type { Membership, Role, SessionResponse } from "@/lib/billing/types";
import { canManage, chooseMembership, tokenOfFragment, whyNot } from "@/lib/session";

const STORED = "billing.organization";

export interface Session {
  session: SessionResponse;
  organizationId: string;
  role: Role;
  canManage: boolean;
  /** Why buttons are off for this role; null when they are not. */
  whyNot: string | null;
  switchOrganization: (organizationId: string) => void;
  signOut: () => Promise<void>;
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
  noOrganization: ReactNode;
  failed: (error: Error, retry: () => void) => ReactNode;
  children: ReactNode;
}

export function SessionProvider(props: SessionProviderProps) {
  const isReady = useTokenOfAddress();
  const query = useQuery({ ...sessionQuery, enabled: isReady });
  const [wanted, setWanted] = useState<string | null>(null);
  const { data, error } = query;
  if (error && "status" in error && error.status === 401) return props.signedOut;
  if (error && !data) return props.failed(error, () => query.refetch());
  if (!data) return props.pending;
  const membership = chooseMembership(data.organizations, [wanted, inAddress(), stored()]);
  if (!membership) return props.noOrganization;
  return (
    <SignedIn session={data} membership={membership} onSwitch={setWanted}>
      {props.children}
    </SignedIn>
  );
}

interface SignedInProps {
  session: SessionResponse;
  membership: Membership;
  onSwitch: (organizationId: string) => void;
  children: ReactNode;
}

function SignedIn({ session, membership, onSwitch, children }: SignedInProps) {
  const queryClient = useQueryClient();
  const value = useMemo<Session>(
    () => ({
      session,
      organizationId: membership.organization_id,
      role: membership.role,
      canManage: canManage(membership.role),
      whyNot: canManage(membership.role) ? null : whyNot(membership),
      switchOrganization: (organizationId) => {
        localStorage.setItem(STORED, organizationId);
        onSwitch(organizationId);
      },
      signOut: async () => {
        await billingApi.signOut();
        queryClient.removeQueries({ queryKey: ["billing"] });
        await queryClient.resetQueries({ queryKey: sessionQuery.queryKey });
      },
    }),
    [session, membership, onSwitch, queryClient],
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

function inAddress(): string | null {
  return new URLSearchParams(window.location.search).get("org");
}

function stored(): string | null {
  return localStorage.getItem(STORED);
}
