// The client document's names for what the API answers; generated from the gateway's OpenAPI document.
import type { components } from "@/lib/api/schema";

type Schemas = components["schemas"];

export type StripeConfigResponse = Schemas["StripeConfigResponse"];
export type BillingAccountResponse = Schemas["BillingAccountResponse"];
export type PaymentMethodResponse = Schemas["PaymentMethodResponse"];
export type PaymentMethodRequest = Schemas["PaymentMethodBody"];
export type SubscriptionResponse = Schemas["SubscriptionResponse"];
export type CreditPurchaseRequest = Schemas["CreditPurchaseBody"];
export type LifetimePurchaseRequest = Schemas["LifetimePurchaseBody"];
export type CheckoutResponse = Schemas["CheckoutResponse"];
export type PortalResponse = Schemas["PortalResponse"];
export type InvoiceResponse = Schemas["InvoiceResponse"];
export type LineItem = Schemas["LineItem"];
export type UsageRecordResponse = Schemas["UsageRecordResponse"];
export type CostSummaryResponse = Schemas["CostSummaryResponse"];
export type CostBreakdownItem = Schemas["CostBreakdownItem"];
export type CostRecordResponse = Schemas["CostRecordResponse"];

export type AccountSettingsRequest = Schemas["AccountSettingsBody"];
export type AddressRequest = Schemas["AddressBody"];
export type CheckoutStateResponse = Schemas["CheckoutStateResponse"];
export type ChangePreviewResponse = Schemas["ChangePreviewResponse"];
export type CreditEntryResponse = Schemas["CreditEntryResponse"];
export type DailyCostResponse = Schemas["DailyCostResponse"];
export type LiveEventName = Schemas["LiveEventResponse"]["event"];
export type Membership = Schemas["Membership"];
export type PaymentResponse = Schemas["PaymentResponse"];
export type PlanResponse = Schemas["PlanResponse"];
export type PlansResponse = Schemas["PlansResponse"];
export type SessionResponse = Schemas["SessionResponse"];
export type SetupIntentResponse = Schemas["SetupIntentResponse"];
export type StatusResponse = Schemas["StatusResponse"];
export type UpcomingInvoiceResponse = Schemas["UpcomingInvoiceResponse"];
export type UsageSummaryResponse = Schemas["UsageSummaryResponse"];

export type Tier = SubscriptionResponse["tier"];
export type SubscriptionStatus = SubscriptionResponse["status"];
export type Role = Membership["role"];
export type InvoiceStatus = InvoiceResponse["status"];
export type CoveredBy = Schemas["UsageDetails"]["covered_by"];
