import type { Metadata } from "next";
import { CheckoutOutcome } from "@/components/billing/CheckoutOutcome";

export const metadata: Metadata = { title: "Payment" };

export default function SuccessPage() {
  return <CheckoutOutcome />;
}
