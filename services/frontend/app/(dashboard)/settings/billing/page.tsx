import type { Metadata } from "next";
import { BillingOverview } from "@/components/billing/BillingOverview";

export const metadata: Metadata = { title: "Billing" };

export default function BillingPage() {
  return <BillingOverview />;
}
