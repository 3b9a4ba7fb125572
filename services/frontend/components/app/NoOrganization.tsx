"use client";

import { Building2 } from "lucide-react";
import { HeaderFrame } from "@/components/app/Header";
import { Empty } from "@/components/ui/empty";

export function NoOrganization() {
  return (
    <>
      <HeaderFrame />
      <main id="content" className="mx-auto max-w-lg px-4 py-20">
        <h1 className="sr-only">Billing</h1>
        <Empty icon={Building2} title="No organization">
          You are signed in, but belong to no organization. Ask an owner to add you, then sign in
          again.
        </Empty>
      </main>
    </>
  );
}
