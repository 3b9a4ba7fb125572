import { BillingSkeleton } from "@/components/billing/BillingSkeleton";

export default function Loading() {
  return <BillingSkeleton />;
}
