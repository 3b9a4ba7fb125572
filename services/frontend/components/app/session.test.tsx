import { cleanup, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { ManageButton } from "@/components/app/ManageButton";
import { OrganizationSwitcher } from "@/components/app/OrganizationSwitcher";
import { useSession } from "@/components/app/SessionProvider";
import { useBillingAccount } from "@/hooks/billing/useBillingAccount";
import { anAccount, aSession } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

const TWO = aSession({
  organizations: [
    { organization_id: "acme", role: "owner" },
    { organization_id: "globex", role: "viewer" },
  ],
});

function answerSession(session = aSession()) {
  server.use(http.get(`${API}/session`, () => HttpResponse.json(session)));
}

function Account() {
  const { organizationId, signOut } = useSession();
  const { data } = useBillingAccount(organizationId);
  return (
    <button type="button" onClick={signOut}>
      {organizationId} {data?.credit_balance}
    </button>
  );
}

test("whoever is not signed in is asked to", async () => {
  server.use(http.get(`${API}/session`, () => refusal(401, "Sign in.")));
  renderSignedIn(<Account />);
  await screen.findByText("signed out");
});

test("when billing is away it says so, and not that one is signed out", async () => {
  server.use(http.get(`${API}/session`, () => refusal(503, "Away for a moment.")));
  renderSignedIn(<Account />);
  await screen.findByText("Away for a moment.");
});

test("who belongs to no organization is told", async () => {
  answerSession(aSession({ organizations: [] }));
  renderSignedIn(<Account />);
  await screen.findByText("no organization");
});

test("a session that ends while the page is open leads to signing in, and keeps the page", async () => {
  server.use(
    http.get(ACCOUNT, () => {
      server.use(http.get(`${API}/session`, () => refusal(401, "Ended.")));
      return refusal(401, "Ended.");
    }),
  );
  renderSignedIn(<Account />);
  await screen.findByText("ended");
  expect(screen.getByText("acme")).toBeVisible();
});

test("signing out forgets what was seen", async () => {
  renderSignedIn(<Account />);
  const button = await screen.findByText("acme 25");
  server.use(
    http.delete(`${API}/session`, () => new HttpResponse(null, { status: 204 })),
    http.get(`${API}/session`, () => refusal(401, "Sign in.")),
  );
  await userEvent.click(button);
  await screen.findByText("signed out");
});

test("another organization is chosen and remembered", async () => {
  answerSession(TWO);
  server.use(
    http.get(`${API}/account/globex`, () => HttpResponse.json(anAccount({ credit_balance: 7 }))),
  );
  const { unmount } = renderSignedIn(
    <>
      <OrganizationSwitcher />
      <Account />
    </>,
  );
  await screen.findByText("acme 25");
  await userEvent.selectOptions(screen.getByLabelText("Organization"), "globex");
  await screen.findByText("globex 7");
  unmount();
  renderSignedIn(<Account />);
  await screen.findByText("globex 7");
});

test("an address may name the organization", async () => {
  answerSession(TWO);
  server.use(http.get(`${API}/account/globex`, () => HttpResponse.json(anAccount())));
  window.history.replaceState(null, "", "/billing/success?org=globex");
  renderSignedIn(<Account />);
  await screen.findByText("globex 25");
});

test("a token in the address signs in once and does not stay there", async () => {
  let header: string | null = null;
  server.use(
    http.post(`${API}/session`, ({ request }) => {
      header = request.headers.get("Authorization");
      return HttpResponse.json(aSession());
    }),
  );
  window.history.replaceState(null, "", "/settings/billing/#token=abc.def");
  renderSignedIn(<Account />);
  await screen.findByText("acme 25");
  expect(header).toBe("Bearer abc.def");
  expect(window.location.hash).toBe("");
});

test("a viewer's button does nothing and says why", async () => {
  answerSession(aSession({ organizations: [{ organization_id: "acme", role: "viewer" }] }));
  const act = vi.fn();
  renderSignedIn(<ManageButton onClick={act}>Buy</ManageButton>);
  const button = await screen.findByRole("button", { name: "Buy" });
  await userEvent.click(button);
  expect(act).not.toHaveBeenCalled();
  expect(button).toHaveAccessibleDescription(/You are a viewer of acme/);
});

test("an owner's button does what it says", async () => {
  const act = vi.fn();
  renderSignedIn(<ManageButton onClick={act}>Buy</ManageButton>);
  await userEvent.click(await screen.findByRole("button", { name: "Buy" }));
  await waitFor(() => expect(act).toHaveBeenCalledOnce());
});

function Switcher() {
  return (
    <>
      <OrganizationSwitcher />
      <Account />
    </>
  );
}

test("an organization stays this tab's, whatever is chosen in another one", async () => {
  answerSession(TWO);
  server.use(http.get(`${API}/account/globex`, () => HttpResponse.json(anAccount())));
  renderSignedIn(<Switcher />);
  await screen.findByText("acme 25");
  await waitFor(() => expect(window.location.search).toBe("?org=acme"));
  // The other tab, and then a reload here.
  localStorage.setItem("billing.organization", "globex");
  cleanup();
  renderSignedIn(<Switcher />);
  await screen.findByText("acme 25");
});

test("switching stands in the address, and leaves the other one's invoice", async () => {
  answerSession(TWO);
  server.use(http.get(`${API}/account/globex`, () => HttpResponse.json(anAccount())));
  window.history.replaceState(null, "", "/settings/billing/?org=acme&invoice=inv_1");
  renderSignedIn(<Switcher />);
  await userEvent.selectOptions(await screen.findByLabelText("Organization"), "globex");
  await screen.findByText("globex 25");
  expect(window.location.search).toBe("?org=globex");
});

test("an address without an organization stays as it is for who has only one", async () => {
  renderSignedIn(<Account />);
  await screen.findByText("acme 25");
  expect(window.location.search).toBe("");
});

test("who could not be signed out is told", async () => {
  server.use(http.delete(`${API}/session`, () => refusal(503, "Away for a moment.")));
  renderSignedIn(<Account />);
  await userEvent.click(await screen.findByText("acme 25"));
  await screen.findByText("You are still signed in. Away for a moment.");
  expect(screen.getByText("acme 25")).toBeVisible();
});
