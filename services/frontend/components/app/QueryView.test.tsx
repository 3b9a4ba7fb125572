import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { QueryView } from "@/components/app/QueryView";
import { ShowMore } from "@/components/app/ShowMore";
import { ApiError } from "@/lib/api/errors";
import { renderSignedIn } from "@/mocks/render";

const away = new ApiError(503, "away", "Away for a moment.");

function One({ ask }: { ask: () => Promise<string> }) {
  const query = useQuery({ queryKey: ["one"], queryFn: ask });
  return (
    <>
      <QueryView query={query} skeleton="skeleton">
        {(data) => <p>{data}</p>}
      </QueryView>
      <button type="button" onClick={() => query.refetch()}>
        Ask
      </button>
    </>
  );
}

test("what could not be refreshed stays, with a line that says so", async () => {
  const ask = vi.fn().mockResolvedValueOnce("first").mockRejectedValueOnce(away);
  renderSignedIn(<One ask={ask} />);
  await screen.findByText("first");
  await userEvent.click(screen.getByRole("button", { name: "Ask" }));
  expect(await screen.findByRole("status")).toHaveTextContent("could not be refreshed");
  expect(screen.getByText("first")).toBeVisible();
  ask.mockResolvedValueOnce("second");
  await userEvent.click(screen.getByRole("button", { name: "Refresh" }));
  await screen.findByText("second");
  await waitFor(() => expect(screen.queryByText(/could not be refreshed/)).toBeNull());
});

function Many({ ask }: { ask: (page: number) => Promise<string> }) {
  const query = useInfiniteQuery({
    queryKey: ["many"],
    queryFn: ({ pageParam }) => ask(pageParam),
    initialPageParam: 1,
    getNextPageParam: (_page, pages) => (pages.length < 2 ? pages.length + 1 : undefined),
  });
  return (
    <QueryView query={query} skeleton="skeleton">
      {(data) => (
        <>
          <p>{data.pages.join(" ")}</p>
          <ShowMore query={query}>Show older</ShowMore>
        </>
      )}
    </QueryView>
  );
}

test("a page that did not come says why under its button, and is asked for again", async () => {
  const ask = vi.fn().mockResolvedValueOnce("first").mockRejectedValueOnce(away);
  renderSignedIn(<Many ask={ask} />);
  await userEvent.click(await screen.findByRole("button", { name: "Show older" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("Away for a moment.");
  ask.mockResolvedValueOnce("second");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("first second");
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.queryByRole("button")).toBeNull();
});
