// A scripted gateway for unit tests. What it was asked to do is proven against the real one in e2e.
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import {
  aConfig,
  aCreditEntry,
  anAccount,
  anInvoice,
  aPaymentMethod,
  aSession,
  aSubscription,
  aUsageRecord,
  aUsageSummary,
  ORGANIZATION,
  thePlans,
} from "@/mocks/examples";

export const API = "*/api/billing";
export const ACCOUNT = `${API}/account/${ORGANIZATION}`;

/** An error as the gateway forms it. */
export function refusal(status: number, detail: string, code = "refused") {
  return HttpResponse.json({ detail, status_code: status, code }, { status });
}

export const server = setupServer(
  http.get(`${API}/session`, () => HttpResponse.json(aSession())),
  http.get(`${API}/plans`, () => HttpResponse.json(thePlans())),
  http.get(ACCOUNT, () => HttpResponse.json(anAccount())),
  http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription())),
  http.get(`${ACCOUNT}/usage-summary`, () => HttpResponse.json(aUsageSummary())),
  http.get(`${API}/config`, () => HttpResponse.json(aConfig())),
  http.get(`${ACCOUNT}/payment-methods`, () => HttpResponse.json([aPaymentMethod()])),
  http.get(`${ACCOUNT}/credits`, () => HttpResponse.json([aCreditEntry()])),
  http.get(`${ACCOUNT}/invoices`, () => HttpResponse.json([anInvoice()])),
  http.get(`${API}/invoices/:id`, () => HttpResponse.json(anInvoice())),
  http.get(`${ACCOUNT}/usage`, () => HttpResponse.json([aUsageRecord()])),
);
