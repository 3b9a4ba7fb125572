import type { ReactNode } from "react";
import { AppShell } from "@/components/app/AppShell";
import { BillingSkeleton } from "@/components/billing/BillingSkeleton";

export default function DashboardLayout({ children }: { children: ReactNode }) {
  return <AppShell skeleton={<BillingSkeleton />}>{children}</AppShell>;
}
