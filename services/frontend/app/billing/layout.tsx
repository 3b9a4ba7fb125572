import type { ReactNode } from "react";
import { AppShell } from "@/components/app/AppShell";
import { OutcomeSkeleton } from "@/components/billing/Outcome";

export default function OutcomeLayout({ children }: { children: ReactNode }) {
  return <AppShell skeleton={<OutcomeSkeleton />}>{children}</AppShell>;
}
