import type { ComponentType } from "react";
import { SubscriptionCard } from "@/components/billing/SubscriptionCard";
import { UsageCard } from "@/components/billing/UsageCard";
import { lazyPart } from "@/lib/lazyPart";

export interface BillingSection {
  id: string;
  title: string;
  /** How much of a row it takes where there is room, in thirds. */
  span: 1 | 2 | 3;
  /** As high as what comes, while its code is fetched. */
  height: string;
  Component: ComponentType;
}

const BillingDetails = lazyPart(() => import("@/components/billing/BillingDetails"));
const CostBreakdown = lazyPart(() => import("@/components/billing/CostBreakdown"));
const CreditBalance = lazyPart(() => import("@/components/billing/CreditBalance"));
const InvoiceList = lazyPart(() => import("@/components/billing/InvoiceList"));
const PaymentMethodList = lazyPart(() => import("@/components/billing/PaymentMethodList"));
const PricingTable = lazyPart(() => import("@/components/billing/PricingTable"));
const UsageRecordList = lazyPart(() => import("@/components/billing/UsageRecordList"));

/** The page, from top to bottom. What is lazy is fetched after what is seen first. */
export const SECTIONS: readonly BillingSection[] = [
  { id: "plan", title: "Current plan", span: 3, height: "h-56", Component: SubscriptionCard },
  { id: "usage", title: "Usage", span: 3, height: "h-48", Component: UsageCard },
  { id: "costs", title: "Costs", span: 3, height: "h-120", Component: CostBreakdown },
  { id: "credits", title: "Credits", span: 1, height: "h-64", Component: CreditBalance },
  {
    id: "payment-methods",
    title: "Payment methods",
    span: 2,
    height: "h-64",
    Component: PaymentMethodList,
  },
  { id: "invoices", title: "Invoices", span: 3, height: "h-48", Component: InvoiceList },
  { id: "details", title: "Billing details", span: 3, height: "h-44", Component: BillingDetails },
  {
    id: "usage-records",
    title: "Usage records",
    span: 3,
    height: "h-48",
    Component: UsageRecordList,
  },
  { id: "plans", title: "Compare plans", span: 3, height: "h-120", Component: PricingTable },
];
