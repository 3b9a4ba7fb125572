import { Undo2 } from "lucide-react";
import type { Metadata } from "next";
import { Outcome } from "@/components/billing/Outcome";

export const metadata: Metadata = { title: "Payment canceled" };

export default function CancelPage() {
  return (
    <Outcome icon={Undo2} tone="neutral" title="You left before paying">
      Nothing was charged. You can go on whenever you like.
    </Outcome>
  );
}
