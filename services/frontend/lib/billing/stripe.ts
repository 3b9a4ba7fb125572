// Stripe.js, loaded when the first form needs it and never before.
import type { SetupIntent, Stripe } from "@stripe/stripe-js";
import type { StripeConfigResponse } from "@/lib/billing/types";

let stripePromise: Promise<Stripe | null> | null = null;

/** Stripe for the key that the server gave; null when card payments are not configured. */
export function getStripe(config: StripeConfigResponse): Promise<Stripe | null> {
  const key = config.publishable_key;
  if (!config.is_configured || !key) return Promise.resolve(null);
  stripePromise ??= load(key, config.stripe_js_url).catch((error: unknown) => {
    // Trying again must load it again.
    stripePromise = null;
    throw error;
  });
  return stripePromise;
}

async function load(key: string, scriptUrl: string | null | undefined): Promise<Stripe | null> {
  if (!scriptUrl) {
    const { loadStripe } = await import("@stripe/stripe-js/pure");
    return loadStripe(key);
  }
  await addScript(scriptUrl);
  if (!window.Stripe) throw new Error("The script of the sandbox did not define Stripe.");
  return window.Stripe(key) as Stripe;
}

function addScript(address: string): Promise<void> {
  return new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => loaded();
    script.onerror = () => {
      script.remove();
      failed(new Error("The form for cards could not be loaded."));
    };
    document.head.append(script);
  });
}

/** The payment method that a confirmed SetupIntent saved. */
export function methodIdOf(intent: Pick<SetupIntent, "payment_method"> | undefined): string {
  const method = intent?.payment_method;
  if (!method) throw new Error("Stripe confirmed no payment method.");
  return typeof method === "string" ? method : method.id;
}
