"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Building2 } from "lucide-react";
import { HeaderFrame } from "@/components/app/Header";
import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { billingApi } from "@/lib/billing/api";
import { sessionQuery } from "@/lib/billing/queries";

export function NoOrganization() {
  const queryClient = useQueryClient();
  const signOut = useMutation({
    mutationFn: billingApi.signOut,
    onSuccess: () => queryClient.resetQueries({ queryKey: sessionQuery.queryKey }),
  });
  return (
    <>
      <HeaderFrame />
      <main id="content" className="mx-auto max-w-lg px-4 py-20">
        <h1 className="sr-only">Billing</h1>
        <Empty
          icon={Building2}
          title="No organization"
          action={
            <Button variant="outline" busy={signOut.isPending} onClick={() => signOut.mutate()}>
              Sign in again
            </Button>
          }
        >
          You are signed in, but belong to no organization. Ask an owner to add you, then sign in
          again.
        </Empty>
      </main>
    </>
  );
}
