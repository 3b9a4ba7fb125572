import { afterEach, beforeEach, expect, test, vi } from "vitest";

const CONFIG = {
  is_configured: true,
  publishable_key: "pk_test_1",
  stripe_js_url: "http://127.0.0.1:12111/stripe.js",
};

/** Each test begins with a page that has loaded nothing. */
async function fresh() {
  vi.resetModules();
  return (await import("@/lib/billing/stripe")).getStripe;
}

/** What the browser does with a script that is added. */
function scripts(outcome: "load" | "error") {
  return vi.spyOn(document.head, "append").mockImplementation((script) => {
    const { onload, onerror } = script as HTMLScriptElement;
    if (outcome === "load") onload?.call(script as HTMLScriptElement, new Event("load"));
    else onerror?.call(window, "error");
  });
}

beforeEach(() => {
  vi.stubGlobal("Stripe", (key: string) => ({ key }));
});
afterEach(() => {
  vi.restoreAllMocks();
});

test("without keys nothing is loaded", async () => {
  const added = scripts("load");
  const getStripe = await fresh();
  expect(await getStripe({ ...CONFIG, is_configured: false })).toBeNull();
  expect(added).not.toHaveBeenCalled();
});

test("the sandbox's script is loaded once", async () => {
  const added = scripts("load");
  const getStripe = await fresh();
  expect(await getStripe(CONFIG)).toEqual({ key: "pk_test_1" });
  await getStripe(CONFIG);
  expect(added).toHaveBeenCalledOnce();
});

test("a script that did not come is asked for again", async () => {
  scripts("error");
  const getStripe = await fresh();
  await expect(getStripe(CONFIG)).rejects.toThrow("could not be loaded");
  scripts("load");
  expect(await getStripe(CONFIG)).toEqual({ key: "pk_test_1" });
});
